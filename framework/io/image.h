// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "framework/io/file.h"

namespace lily::io {

// 8-bit pixels, rows top to bottom, channels interleaved: 1 grey, 2 grey + alpha, 3 RGB, 4 RGB + alpha.
struct Image {
    int width = 0, height = 0, channels = 0;
    std::vector<uint8_t> pixels;  // (height, width, channels)

    Image() = default;
    Image(int width, int height, int channels, uint8_t fill = 0);

    bool has_alpha() const { return channels == 2 || channels == 4; }
    uint8_t* at(int y, int x) { return pixels.data() + offset(y, x); }
    const uint8_t* at(int y, int x) const { return pixels.data() + offset(y, x); }

  private:
    size_t offset(int y, int x) const {
        return (static_cast<size_t>(y) * static_cast<size_t>(width) + static_cast<size_t>(x)) *
               static_cast<size_t>(channels);
    }
};

struct ImageLimits {
    int64_t max_pixels = 100'000'000;         // checked against the header, before anything is allocated
    size_t max_file_bytes = size_t{1} << 30;  // compressed
};

// Reads PNG, JPEG, BMP or TGA: recognised by content, TGA (which has no signature) by the extension .tga.
// 16-bit PNG is reduced to 8 bits, palettes are expanded, the EXIF orientation is applied.
// A damaged or truncated file is an error, never a half-grey picture.
Image load_image(const std::string& path, const ImageLimits& limits = {});
// `name` is for messages and for its extension.
Image decode_image(Bytes bytes, const std::string& name, const ImageLimits& limits = {});

// Writes PNG or JPEG, by extension, atomically. JPEG has no alpha: the picture is put on white.
void save_image(const std::string& path, const Image& image, int jpeg_quality = 95);

// Throws what save_image would: unknown extension, unwritable path. To call before a long run.
void check_can_save_image(const std::string& path);

}  // namespace lily::io
