// SPDX-License-Identifier: MIT
#include "framework/io/picture_grid.h"

#include <algorithm>
#include <cmath>

#include "framework/error.h"

namespace lily::io {
namespace {

constexpr int kGap = 4;

// Copies `from` into `to`, its corner at (y, x), each pixel zoom x zoom times.
void paste(const Image& from, Image& to, int y, int x, int zoom) {
    for (int row = 0; row < from.height * zoom; ++row)
        for (int column = 0; column < from.width * zoom; ++column)
            std::copy_n(from.at(row / zoom, column / zoom), from.channels, to.at(y + row, x + column));
}

}  // namespace

Image to_picture(const Tensor& samples, int64_t i, const PictureSize& size) {
    check(samples.rank() == 2 && samples.size(1) == size.pixels(), "[to_picture] expected (N,{}), got {}",
          size.pixels(), samples.shape());
    const int64_t c = size.channels, m = size.height * size.width;
    const float* planes = samples.data<float>() + i * size.pixels();
    Image image(static_cast<int>(size.width), static_cast<int>(size.height), static_cast<int>(c));
    for (int64_t k = 0; k < c; ++k)
        for (int64_t p = 0; p < m; ++p)
            image.pixels[static_cast<size_t>(p * c + k)] =
                static_cast<uint8_t>(std::lround(std::clamp(127.5f * (planes[k * m + p] + 1), 0.0f, 255.0f)));
    return image;
}

std::pair<int, int> grid_size(int64_t samples, const PictureSize& size, int columns, int zoom) {
    check(columns >= 1 && zoom >= 1,
          "[sample_grid] expected at least 1 column and a zoom of 1, got {} and {}", columns, zoom);
    constexpr int64_t kMostPixels = int64_t{1} << 28;
    const int64_t rows = (samples + columns - 1) / columns;
    const double pixels =
        double(columns) * double(rows) * double(size.width) * double(size.height) * zoom * zoom;
    check(pixels <= kMostPixels,
          "[sample_grid] a picture of {}x{} samples, each {}x{} with a zoom of {}, is too large", columns,
          rows, size.width, size.height, zoom);
    return {static_cast<int>(columns * size.width * zoom), static_cast<int>(rows * size.height * zoom)};
}

Image sample_grid(const Tensor& samples, const PictureSize& size, int columns, int zoom) {
    const auto [grid_width, grid_height] = grid_size(samples.size(0), size, columns, zoom);
    const auto count = static_cast<int>(samples.size(0));
    const auto width = static_cast<int>(size.width) * zoom, height = static_cast<int>(size.height) * zoom;
    Image grid(grid_width, grid_height, static_cast<int>(size.channels));
    for (int i = 0; i < count; ++i)
        paste(to_picture(samples, i, size), grid, i / columns * height, i % columns * width, zoom);
    return grid;
}

std::pair<int, int> contact_sheet_size(int count, int width, int height, int columns) {
    columns = std::min(columns, count);
    const int rows = (count + columns - 1) / columns;
    return {columns * (width + kGap) + kGap, rows * (height + kGap) + kGap};
}

Image contact_sheet(const std::vector<Image>& pictures, int columns) {
    check(!pictures.empty() && columns >= 1, "[contact_sheet] expected pictures and columns");
    const Image& first = pictures[0];
    const auto count = static_cast<int>(pictures.size());
    columns = std::min(columns, count);
    const auto [width, height] = contact_sheet_size(count, first.width, first.height, columns);
    Image sheet(width, height, first.channels, 255);
    for (int i = 0; i < count; ++i) {
        const Image& picture = pictures[static_cast<size_t>(i)];
        check(picture.width == first.width && picture.height == first.height &&
                  picture.channels == first.channels,
              "[contact_sheet] expected pictures of one size, got {}x{} and {}x{}", first.width, first.height,
              picture.width, picture.height);
        paste(picture, sheet, kGap + i / columns * (first.height + kGap),
              kGap + i % columns * (first.width + kGap), 1);
    }
    return sheet;
}

}  // namespace lily::io
