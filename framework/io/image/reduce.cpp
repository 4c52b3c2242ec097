// SPDX-License-Identifier: MIT
#include "framework/io/image/reduce.h"

#include <algorithm>
#include <cmath>

namespace lily::io {
namespace {

// sRGB's curve (IEC 61966-2-1) and its inverse, 0…1.
double to_light(double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); }
double from_light(double v) { return v <= 0.0031308 ? v * 12.92 : 1.055 * std::pow(v, 1 / 2.4) - 0.055; }

}  // namespace

RowReducer::RowReducer(Raster& raster, int width, int height, int by)
    : raster_(raster), width_(width), height_(height), by_(by) {
    raster.width = (width + by - 1) / by;
    raster.height = (height + by - 1) / by;
    raster.exact_width = static_cast<double>(width) / by;
    raster.exact_height = static_cast<double>(height) / by;
    raster.full_width = width, raster.full_height = height;
    const int full = (1 << raster.bits) - 1;
    light_.resize(static_cast<size_t>(full) + 1);
    for (int v = 0; v <= full; ++v) {
        const double value = static_cast<double>(v) / full;
        light_[static_cast<size_t>(v)] =
            static_cast<float>(raster.model == ColourModel::cmyk ? value : to_light(value));
    }
    const auto row = static_cast<size_t>(raster.width) * static_cast<size_t>(raster.samples());
    sums_.assign(row, 0);
    const size_t all = row * static_cast<size_t>(raster.height);
    raster.bits == 16 ? raster.samples16.reserve(all) : raster.samples8.reserve(all);
}

void RowReducer::add(const uint8_t* row) { add_row(row, raster_.samples8); }
void RowReducer::add(const uint16_t* row) { add_row(row, raster_.samples16); }

// The innermost loop: a square's part of one row.
template <int kColours, bool kHasAlpha, class T>
const T* RowReducer::add_pixels(const T* row, int count, double* sum) const {
    const float* light = light_.data();
    for (int x = 0; x < count; ++x) {
        const double alpha = kHasAlpha ? row[kColours] : 1;
        for (int c = 0; c < kColours; ++c) sum[c] += alpha * light[row[c]];
        if (kHasAlpha) sum[kColours] += alpha;
        row += kColours + (kHasAlpha ? 1 : 0);
    }
    return row;
}

template <class T>
void RowReducer::add_row(const T* row, std::vector<T>& samples) {
    double* sum = sums_.data();
    for (int left = 0; left < width_; left += by_) {
        const int count = std::min(by_, width_ - left);
        switch (raster_.samples()) {
            case 1:
                row = add_pixels<1, false>(row, count, sum);
                break;
            case 2:
                row = add_pixels<1, true>(row, count, sum);
                break;
            case 3:
                row = add_pixels<3, false>(row, count, sum);
                break;
            case 4:
                row = raster_.has_alpha ? add_pixels<3, true>(row, count, sum)
                                        : add_pixels<4, false>(row, count, sum);
                break;
            default:
                row = add_pixels<4, true>(row, count, sum);
        }
        sum += raster_.samples();
    }
    if (++rows_ % by_ == 0 || rows_ == height_) finish_row(samples);
}

template <class T>
void RowReducer::finish_row(std::vector<T>& samples) {
    const int colours = colour_samples(raster_.model);
    const double full = (1 << raster_.bits) - 1;
    const int rows = (rows_ - 1) % by_ + 1;
    double* sum = sums_.data();
    for (int left = 0; left < width_; left += by_) {
        const double pixels = static_cast<double>(rows) * std::min(by_, width_ - left);
        const double weight = raster_.has_alpha ? std::max(sum[colours], 1.0) : pixels;  // all clear: black
        for (int c = 0; c < colours; ++c) {
            const double mean = std::min(sum[c] / weight, 1.0);
            const double value = raster_.model == ColourModel::cmyk ? mean : from_light(mean);
            samples.push_back(static_cast<T>(std::lround(value * full)));
        }
        if (raster_.has_alpha) samples.push_back(static_cast<T>(std::lround(sum[colours] / pixels)));
        sum += raster_.samples();
    }
    std::fill(sums_.begin(), sums_.end(), 0);
}

}  // namespace lily::io
