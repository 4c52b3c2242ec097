// SPDX-License-Identifier: MIT
// Anisotropic total variation: how much neighbouring pixels differ, downwards and to the right.
//   forward   y = Σ |x[h+1,w] - x[h,w]| + Σ |x[h,w+1] - x[h,w]|
//   backward  dx[h,w] = dy · (sign(x - above) + sign(x - left) - sign(below - x) - sign(right - x))
// with sign(0) = 0, and neighbours outside of the picture left out.
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct PictureShape {
    int64_t planes, height, width;  // planes = N·C
};

template <class T>
struct TotalVariationKernels {
    void (*forward)(Queue&, PictureShape, const T* x, T* y);  // x (planes, height, width)   y: one element
    void (*backward)(Queue&, PictureShape, const T* x, const T* dy, T* dx);  // dy: one element
};
template <class T>
const TotalVariationKernels<T>& total_variation(Device device);
const TotalVariationKernels<float>& total_variation_on(simt::Gpu);  // total_variation.cu
const TotalVariationKernels<float>& total_variation_on(cuda::Gpu);

}  // namespace lily::kernels
