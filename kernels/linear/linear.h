// SPDX-License-Identifier: MIT
// A fully connected layer.
//   forward   y = x Wᵀ + b        x (rows, in)   W (out, in)   b (out) or null   y (rows, out)
//   backward  dx = dy W,  dW = dyᵀ x: products of kernels/matmul;  db = Σ dy over the rows: kernels/reduce
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct LinearShape {
    int64_t rows, in, out;
};

template <class T>
struct LinearKernels {
    void (*forward)(Queue&, LinearShape, const T* x, const T* weight, const T* bias, T* y);
};
template <class T>
const LinearKernels<T>& linear(Device device);
const LinearKernels<float>& linear_on(simt::Gpu);  // linear.cu
const LinearKernels<float>& linear_on(cuda::Gpu);

}  // namespace lily::kernels
