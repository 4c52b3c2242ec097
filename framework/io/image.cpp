// SPDX-License-Identifier: MIT
#include "framework/io/image.h"

#include <algorithm>
#include <climits>
#include <cstdlib>
#include <memory>

#include "framework/error.h"
#include "framework/io/image_ops.h"
#include "framework/io/image_probe.h"

namespace {

// No single allocation of stb_image may be larger than this: a bomb (a PNG of 1x1 that inflates to gigabytes)
// fails like any other lack of memory.
thread_local size_t largest_allocation = 0;

// Zeroed: stb_image reads the tables that a damaged JPEG does not bring (and, unset, runs out of them).
void* limited_malloc(size_t bytes) { return bytes <= largest_allocation ? std::calloc(1, bytes) : nullptr; }
void* limited_realloc(void* old, size_t bytes) {
    return bytes <= largest_allocation ? std::realloc(old, bytes) : nullptr;
}

}  // namespace

// Static: a program that links this library may carry its own stb. CMake compiles this file with -fwrapv,
// because stb_image lets integers overflow on damaged JPEGs.
#define STBI_MALLOC limited_malloc
#define STBI_REALLOC limited_realloc
#define STBI_FREE std::free
#define STB_IMAGE_IMPLEMENTATION
#define STB_IMAGE_STATIC
#define STBI_ONLY_PNG
#define STBI_ONLY_JPEG
#define STBI_ONLY_BMP
#define STBI_ONLY_TGA
#define STBI_NO_STDIO
#include <stb/stb_image.h>

#define STB_IMAGE_WRITE_IMPLEMENTATION
#define STB_IMAGE_WRITE_STATIC
#define STBI_WRITE_NO_STDIO
#include <stb/stb_image_write.h>

namespace lily::io {
namespace {

enum class OutputFormat { kPng, kJpeg };

OutputFormat output_format(const std::string& path) {
    const std::string extension = extension_of(path);
    if (extension == ".png") return OutputFormat::kPng;
    if (extension == ".jpg" || extension == ".jpeg") return OutputFormat::kJpeg;
    fail("cannot save {}: pictures are written as .png, .jpg or .jpeg", in_quotes(path));
}

// stb ignores the TGA field that says whether the fourth byte is alpha; a picture of nothing but transparent
// pixels is one whose fourth byte is not.
void make_opaque_if_invisible(Image& image) {
    const auto step = static_cast<size_t>(image.channels);
    for (size_t i = step - 1; i < image.pixels.size(); i += step)
        if (image.pixels[i] != 0) return;
    for (size_t i = step - 1; i < image.pixels.size(); i += step) image.pixels[i] = 255;
}

}  // namespace

Image::Image(int width_, int height_, int channels_, uint8_t fill)
    : width(width_), height(height_), channels(channels_) {
    check(width > 0 && height > 0 && channels >= 1 && channels <= 4,
          "[image] {} x {} pixels of {} channels make no picture", width, height, channels);
    pixels.assign(offset(height, 0), fill);
}

Image load_image(const std::string& path, const ImageLimits& limits) {
    const std::vector<std::byte> bytes = read_file(path, limits.max_file_bytes);
    return decode_image(bytes, path, limits);
}

Image decode_image(Bytes bytes, const std::string& name, const ImageLimits& limits) {
    check(bytes.size() <= std::min<size_t>(limits.max_file_bytes, INT_MAX), "{} is too large: {} bytes",
          in_quotes(name), bytes.size());
    const ImageHeader header = probe_image(bytes, name);
    check(header.width > 0 && header.height > 0, "{} is damaged: its header says {} x {} pixels",
          in_quotes(name), header.width, header.height);
    check(header.width <= limits.max_pixels / header.height,
          "{} is too large: {} x {} pixels, at most {} million are read", in_quotes(name), header.width,
          header.height, limits.max_pixels / 1'000'000);

    // 8 bytes a pixel (16-bit RGBA), twice that where a buffer doubles, sides padded to JPEG blocks.
    const auto side = [](int64_t pixels) { return static_cast<size_t>(pixels) + 64; };
    largest_allocation =
        std::max(side(header.width) * side(header.height) * 16, 2 * bytes.size()) + (1 << 20);
    int width = 0;
    int height = 0;
    int channels = 0;
    const std::unique_ptr<stbi_uc, void (*)(void*)> decoded(
        stbi_load_from_memory(reinterpret_cast<const stbi_uc*>(bytes.data()), static_cast<int>(bytes.size()),
                              &width, &height, &channels, 0),
        std::free);
    check(decoded != nullptr, "{} is damaged or of an unsupported kind ({})", in_quotes(name),
          stbi_failure_reason());
    check(width == header.width && height == header.height, "{} is damaged: its size is ambiguous",
          in_quotes(name));

    Image image(width, height, channels);
    std::copy_n(decoded.get(), image.pixels.size(), image.pixels.begin());
    if (header.format == ImageFormat::kTga && image.has_alpha()) make_opaque_if_invisible(image);
    return upright(std::move(image), exif_orientation(header.exif));
}

void save_image(const std::string& path, const Image& image, int jpeg_quality) {
    const OutputFormat format = output_format(path);
    check(image.width > 0 && image.height > 0 && image.channels >= 1 && image.channels <= 4 &&
              image.pixels.size() == static_cast<size_t>(image.width) * static_cast<size_t>(image.height) *
                                         static_cast<size_t>(image.channels),
          "[save_image] {} x {} x {} does not fit the {} bytes given", image.width, image.height,
          image.channels, image.pixels.size());
    check(image.pixels.size() < INT_MAX / 2, "cannot save {}: the picture is too large", in_quotes(path));
    check(jpeg_quality >= 1 && jpeg_quality <= 100, "[save_image] JPEG quality is 1..100, got {}",
          jpeg_quality);

    std::vector<std::byte> encoded;
    const auto append = [](void* out, void* data, int size) {
        const auto* first = static_cast<const std::byte*>(data);
        auto* bytes = static_cast<std::vector<std::byte>*>(out);
        bytes->insert(bytes->end(), first, first + size);
    };
    int done = 0;
    if (format == OutputFormat::kPng) {
        done = stbi_write_png_to_func(append, &encoded, image.width, image.height, image.channels,
                                      image.pixels.data(), 0);
    } else {
        constexpr int kLongestSide = 65535;  // two bytes in the format
        check(image.width <= kLongestSide && image.height <= kLongestSide,
              "cannot save {}: a JPEG has at most {} pixels a side, this is {} x {}", in_quotes(path),
              kLongestSide, image.width, image.height);
        const Image opaque = on_white(image);
        done = stbi_write_jpg_to_func(append, &encoded, opaque.width, opaque.height, opaque.channels,
                                      opaque.pixels.data(), jpeg_quality);
    }
    check(done != 0, "cannot save {}: not enough memory", in_quotes(path));
    write_file_atomically(path, encoded);
}

void check_can_save_image(const std::string& path) {
    output_format(path);
    check_writable(path);
}

}  // namespace lily::io
