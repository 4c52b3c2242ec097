// SPDX-License-Identifier: MIT
// Softmax and its logarithm over the middle axis of (outer, n, inner); m = max_k x_k, so nothing overflows.
//   softmax      y = exp(x - m) / Σ exp(x - m)        dx = y (dy - Σ y dy)
//   log_softmax  y = x - m - ln Σ exp(x - m)          dx = dy - exp(y) Σ dy
// As everywhere, a row of nothing but -inf is NaN.
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct SoftmaxShape {
    int64_t outer, n, inner;
};

template <class T>
struct SoftmaxKernels {
    // x, y, dy, dx (outer, n, inner)
    void (*softmax)(Queue&, SoftmaxShape, const T* x, T* y);
    void (*softmax_backward)(Queue&, SoftmaxShape, const T* y, const T* dy, T* dx);
    void (*log_softmax)(Queue&, SoftmaxShape, const T* x, T* y);
    void (*log_softmax_backward)(Queue&, SoftmaxShape, const T* y, const T* dy, T* dx);
};
template <class T>
const SoftmaxKernels<T>& softmax(Device device);
const SoftmaxKernels<float>& softmax_on(simt::Gpu);  // softmax.cu
const SoftmaxKernels<float>& softmax_on(cuda::Gpu);

}  // namespace lily::kernels
