// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

#include "framework/io/image/raster.h"

namespace lily::io {

// Averages squares of `by` x `by` pixels while a decoder brings row after row, so that a picture is never in
// memory as a whole. Averages light (sRGB is decoded first) and weighs by alpha, as resize_image does when it
// shrinks; of inks the stored values. Squares at the right and lower edge average what there is of them.
class RowReducer {
  public:
    // `raster` says model, alpha and bits; gets its sides, exact and full ones too, and its samples.
    RowReducer(Raster& raster, int width, int height, int by);

    // One row of width * raster.samples() samples, raster.bits each; `height` times.
    void add(const uint8_t* row);
    void add(const uint16_t* row);

  private:
    template <int kColours, bool kHasAlpha, class T>
    const T* add_pixels(const T* row, int count, double* sum) const;
    template <class T>
    void add_row(const T* row, std::vector<T>& samples);
    template <class T>
    void finish_row(std::vector<T>& samples);

    Raster& raster_;
    int width_, height_, by_;
    int rows_ = 0;              // so far
    std::vector<float> light_;  // of each value of a colour sample
    std::vector<double> sums_;  // of the squares of one row; colours times alpha
};

}  // namespace lily::io
