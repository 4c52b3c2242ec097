// SPDX-License-Identifier: MIT
// A fully connected layer, with an activation that may follow it.
//   forward   y = f(x Wᵀ + b)     x (rows, in)   W (out, in)   b (out) or null   y (rows, out)
//             f(z) = z, or of a leaky ReLU z where z > 0, slope z elsewhere
//   backward  dz = f'(z) dy: kernels/elementwise, from y, which has z's sign
//             dx = dz W,  dW = dzᵀ x: products of kernels/matmul;  db = Σ dz over the rows: kernels/reduce
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct LinearShape {
    int64_t rows, in, out;
    bool relu = false;
    double slope = 0;  // of the ReLU, for negative z; not negative
};

template <class T>
struct LinearKernels {
    void (*forward)(Queue&, const LinearShape&, const T* x, const T* weight, const T* bias, T* y);
};
template <class T>
const LinearKernels<T>& linear(Device device);
const LinearKernels<float>& linear_on(simt::Gpu);  // linear.cu
const LinearKernels<float>& linear_on(cuda::Gpu);

}  // namespace lily::kernels
