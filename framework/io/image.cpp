// SPDX-License-Identifier: MIT
#include "framework/io/image.h"

#include <algorithm>
#include <climits>
#include <utility>

#include "framework/error.h"
#include "framework/io/image/bmp.h"
#include "framework/io/image/gif.h"
#include "framework/io/image/jpeg.h"
#include "framework/io/image/kinds.h"
#include "framework/io/image/pixels.h"
#include "framework/io/image/png.h"
#include "framework/io/image/tga.h"
#include "framework/io/image/tiff.h"
#include "framework/io/image/webp.h"
#include "framework/io/image_ops.h"

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

// Recognises the format and reads the picture as it is stored.
Raster decode(Bytes bytes, const std::string& name, const ImageOptions& options) {
    check(!bytes.empty(), "{} is empty", in_quotes(name));
    check(bytes.size() <= std::min<size_t>(options.max_file_bytes, INT_MAX), "{} is too large: {} bytes",
          in_quotes(name), bytes.size());
    if (is_png(bytes)) return decode_png(bytes, name, options);
    if (is_jpeg(bytes)) return decode_jpeg(bytes, name, options);
    if (is_bmp(bytes, name)) return decode_bmp(bytes, name, options);
    if (is_gif(bytes)) return decode_gif(bytes, name, options);
    if (is_webp(bytes)) return decode_webp(bytes, name, options);
    if (is_tiff(bytes)) return decode_tiff(bytes, name, options);
    refuse_other_formats(bytes, name);
    if (extension_of(name) == ".tga") return decode_tga(bytes, name, options);  // it has no signature
    refuse_unknown(bytes, name);
}

}  // namespace

Image::Image(int width_, int height_, int channels_, uint8_t fill)
    : width(width_), height(height_), channels(channels_) {
    check(width > 0 && height > 0 && channels >= 1 && channels <= 4,
          "[image] {} x {} pixels of {} channels make no picture", width, height, channels);
    pixels.assign(offset(height, 0), fill);
}

Raster load_raster(const std::string& path, const ImageOptions& options) {
    return decode_raster(read_file(path, options.max_file_bytes), path, options);
}

Raster decode_raster(Bytes bytes, const std::string& name, const ImageOptions& options) {
    ImageOptions all = options;
    all.longest_side = all.shortest_side = 0;
    return decode(bytes, name, all);
}

Image load_image(const std::string& path, const ImageOptions& options) {
    return decode_image(read_file(path, options.max_file_bytes), path, options);
}

ReducedImage load_reduced_image(const std::string& path, const ImageOptions& options) {
    return decode_reduced_image(read_file(path, options.max_file_bytes), path, options);
}

Image decode_image(Bytes bytes, const std::string& name, const ImageOptions& options) {
    ImageOptions all = options;
    all.longest_side = all.shortest_side = 0;
    return decode_reduced_image(bytes, name, all).image;
}

ReducedImage decode_reduced_image(Bytes bytes, const std::string& name, const ImageOptions& options) {
    Raster raster = decode(bytes, name, options);
    ReducedImage image = to_srgb_image(raster);
    if (options.remarks != nullptr)
        for (const std::string& remark : raster.remarks)
            options.remarks->push_back(fmt::format("{}: {}", in_quotes(name), remark));
    return image;
}

void save_image(const std::string& path, const Image& image, int jpeg_quality) {
    const OutputFormat format = output_format(path);
    check(image.width > 0 && image.height > 0 && image.channels >= 1 && image.channels <= 4 &&
              image.pixels.size() == static_cast<size_t>(image.width) * static_cast<size_t>(image.height) *
                                         static_cast<size_t>(image.channels),
          "[save_image] {} x {} x {} does not fit the {} bytes given", image.width, image.height,
          image.channels, image.pixels.size());
    check_image_size(path, image.width, image.height, image.channels);
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

void check_image_size(const std::string& path, int64_t width, int64_t height, int channels) {
    check(width <= INT_MAX / 2 / channels / height, "cannot save {}: {} x {} pixels are too many",
          in_quotes(path), width, height);
    constexpr int kLongestSide = 65535;  // two bytes in the format
    check(output_format(path) != OutputFormat::kJpeg || std::max(width, height) <= kLongestSide,
          "cannot save {}: a JPEG has at most {} pixels a side, this is {} x {}", in_quotes(path),
          kLongestSide, width, height);
}

}  // namespace lily::io
