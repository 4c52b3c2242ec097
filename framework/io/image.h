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

struct ImageOptions {
    int64_t max_pixels = 100'000'000;         // checked against the header, before anything is allocated
    int64_t max_reduced_pixels = 1 << 28;     // the same for a picture that is reduced as it is read
    size_t max_file_bytes = size_t{1} << 30;  // compressed
    // The picture will be shrunk to such a longer or shorter side, whichever is given; 0: all pixels are
    // needed. One of more than max_pixels is then reduced as it is read, to no less than twice this.
    int longest_side = 0, shortest_side = 0;
    bool ignore_colour_keys =
        false;  // colours of a palette, or a single one, that are marked transparent stay
    std::vector<std::string>* remarks = nullptr;  // where to add what the user should know, a line each
};

// A rectangle in pixels, with fractions.
struct Box {
    double left = 0, top = 0, right = 0, bottom = 0;
};

// A picture, or a smaller one that stands for it.
struct ReducedImage {
    Image image;
    int width = 0, height = 0;  // of the whole picture; those of `image` where it was not reduced
    Box box;  // what the whole picture is in `image`: 1001 columns at 1/8 are 125.125 of 126
};

// Reads the pictures that docs/pictures.md lists: recognised by content, TGA (which has no signature) by the
// extension .tga. 16 bits are reduced to 8, palettes are expanded, the orientation is applied.
// A damaged or truncated file is an error, never a half-grey picture.
Image load_image(const std::string& path, const ImageOptions& options = {});
// The same for one that will be shrunk; give resize_image its box.
ReducedImage load_reduced_image(const std::string& path, const ImageOptions& options);
// From memory. `name` is for messages and for its extension.
Image decode_image(Bytes bytes, const std::string& name, const ImageOptions& options = {});
ReducedImage decode_reduced_image(Bytes bytes, const std::string& name, const ImageOptions& options);

// Writes PNG or JPEG, by extension, atomically. JPEG has no alpha: the picture is put on white.
void save_image(const std::string& path, const Image& image, int jpeg_quality = 95);

// Throw what save_image would: unknown extension, unwritable path; too many pixels for the format. To call
// before a long run.
void check_can_save_image(const std::string& path);
void check_image_size(const std::string& path, int64_t width, int64_t height, int channels);

}  // namespace lily::io
