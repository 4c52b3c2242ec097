// SPDX-License-Identifier: MIT
// Losses of n elements in any order that x and t share, accumulated in double.
// The squared error
//   forward   y  = scale Σ (x - t)² / count
//   backward  dx = 2 scale dy / count (x - t)      dt = -dx
// Binary cross-entropy of logits: -t ln σ(x) - (1 - t) ln(1 - σ(x)), in a form that no x overflows
//   forward   y  = Σ l / count,   l = max(x, 0) - t x + ln(1 + e^-|x|);   or y_i = l_i
//   backward  dx = dy / count (σ(x) - t)           dt = -dy / count x
// Of infinite x the loss is its limit. Means divide by count: a product with 1 / count is rounded twice.
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

// What is to be predicted: values[i], or `constant` for every i where there are no values.
template <class T>
struct Target {
    const T* values;
    T constant;
};

// What becomes of a sum: scale · sum / count.
struct LossScale {
    double scale = 1, count = 1;
};

template <class T>
struct LossKernels {
    void (*squared_error)(Queue&, int64_t n, LossScale, const T* x, const T* t, T* y);  // y: one element
    // dy: one element; dx (n) or dt (n) may be null
    void (*squared_error_backward)(Queue&, int64_t n, LossScale, const T* x, const T* t, const T* dy, T* dx,
                                   T* dt);
    void (*bce_with_logits)(Queue&, int64_t n, double count, const T* x, Target<T> t, T* y);  // one element
    void (*bce_with_logits_each)(Queue&, int64_t n, const T* x, Target<T> t, T* y);           // y (n)
    // dy: one element (dy_step = 0) or n of them (1, and then count = 1); dx (n) or dt (n) may be null
    void (*bce_with_logits_backward)(Queue&, int64_t n, double count, const T* x, Target<T> t, const T* dy,
                                     int64_t dy_step, T* dx, T* dt);
};
template <class T>
const LossKernels<T>& loss(Device device);
const LossKernels<float>& loss_on(simt::Gpu);  // loss.cu
const LossKernels<float>& loss_on(cuda::Gpu);

}  // namespace lily::kernels
