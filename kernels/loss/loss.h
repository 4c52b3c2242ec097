// SPDX-License-Identifier: MIT
// The squared error, of n elements in any order that x and t share.
//   forward   y  = scale Σ (x - t)²              accumulated in double
//   backward  dx = 2 scale dy (x - t)      dt = -dx
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

template <class T>
struct LossKernels {
    void (*squared_error)(Queue&, int64_t n, double scale, const T* x, const T* t, T* y);  // y: one element
    // dy: one element; dx (n) or dt (n) may be null
    void (*squared_error_backward)(Queue&, int64_t n, double scale, const T* x, const T* t, const T* dy,
                                   T* dx, T* dt);
};
template <class T>
const LossKernels<T>& loss(Device device);
const LossKernels<float>& loss_on(simt::Gpu);  // loss.cu
const LossKernels<float>& loss_on(cuda::Gpu);

}  // namespace lily::kernels
