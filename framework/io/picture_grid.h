// SPDX-License-Identifier: MIT
// Samples as pictures that a person looks at.
#pragma once

#include <utility>
#include <vector>

#include "framework/io/image.h"
#include "framework/tensor.h"

namespace lily::io {

struct PictureSize {
    int64_t channels = 1, height = 28, width = 28;
    int64_t pixels() const { return channels * height * width; }
    bool operator==(const PictureSize&) const = default;
};

// Row i of (N,pixels) in [-1,1].
Image to_picture(const Tensor& samples, int64_t i, const PictureSize& size);

// Width and height of the grid below; throws if that is too large.
std::pair<int, int> grid_size(int64_t samples, const PictureSize& size, int columns, int zoom = 1);
// All samples in a grid of so many columns, row by row; `zoom`: pixels a side for each of a sample's.
// Empty places are black.
Image sample_grid(const Tensor& samples, const PictureSize& size, int columns, int zoom = 1);

// Width and height of the sheet below, for `count` pictures of width x height.
std::pair<int, int> contact_sheet_size(int count, int width, int height, int columns);
// Pictures of one size in a grid with gaps of 4 pixels, on white.
Image contact_sheet(const std::vector<Image>& pictures, int columns);

}  // namespace lily::io
