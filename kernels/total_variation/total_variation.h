// SPDX-License-Identifier: MIT
// Anisotropic total variation: how much neighbouring pixels differ, downwards and to the right.
//   forward   y = Σ |x[h+1,w] - x[h,w]| + Σ |x[h,w+1] - x[h,w]|
//   slopes    s[h,w] = Σ sign(x[h,w] - neighbour), of up to four neighbours: -4 … 4
//   backward  dx = dy · s
// with sign(0) = 0. One pass over the picture finds both y and s, a byte per pixel: whoever minimises y needs
// both, and the backward pass then looks at no neighbour.
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct PictureShape {
    int64_t planes, height, width;  // planes = N·C
};

constexpr int kNoSlope = 4;  // the byte of slope 0

template <class T>
struct TotalVariationKernels {
    // x (planes, height, width)   y: one element   slopes: as x, s + kNoSlope; null: not wanted
    void (*forward)(Queue&, PictureShape, const T* x, T* y, uint8_t* slopes);
    // slopes, dx: n elements   dy: one
    void (*backward)(Queue&, int64_t n, const uint8_t* slopes, const T* dy, T* dx);
};
template <class T>
const TotalVariationKernels<T>& total_variation(Device device);
const TotalVariationKernels<float>& total_variation_on(simt::Gpu);  // total_variation.cu
const TotalVariationKernels<float>& total_variation_on(cuda::Gpu);

}  // namespace lily::kernels
