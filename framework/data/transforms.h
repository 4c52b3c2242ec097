// SPDX-License-Identifier: MIT
// From a picture of any size and kind to bytes of one shape. Reading has turned it upright already.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "framework/io/image.h"
#include "framework/io/picture_grid.h"

namespace lily::data {

enum class Fit {
    crop,     // the largest middle part of the wanted proportions
    stretch,  // all of it, out of proportion if need be
};

// The middle part of the proportions width : height.
io::ReducedImage crop_to_shape(io::ReducedImage picture, int64_t width, int64_t height);
// One or three channels, what is transparent on white; grey is Rec. 601 luma.
io::Image to_channels(const io::Image& picture, int64_t channels);
// The picture as bytes (channels, height, width), scaled with antialiasing.
std::vector<uint8_t> to_shape(io::ReducedImage picture, const io::PictureSize& size, Fit fit);
// Left and right exchanged, in place; pixels (channels, height, width).
template <class T>
void mirror(T* pixels, const io::PictureSize& size) {
    for (int64_t row = 0; row < size.channels * size.height; ++row)
        for (int64_t a = 0, b = size.width - 1; a < b; ++a, --b)
            std::swap(pixels[row * size.width + a], pixels[row * size.width + b]);
}

}  // namespace lily::data
