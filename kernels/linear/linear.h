// SPDX-License-Identifier: MIT
// A fully connected layer with the function that follows it.
//   forward   y = f(z), z = s x Wᵀ + b    x (rows, in)   W (out, in)   b (out) or null   y (rows, out)
//   backward  dz = dy f'(z)      dx = s dz W      dW = s dzᵀ x      db = Σ dz over the rows
// The scale s multiplies sums or dz, both (rows, out): no pass over the weights.
// f' is computed from y: relu and leaky_relu keep the sign, tanh' = 1 - y².
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct LinearShape {
    int64_t rows, in, out;
    double weight_scale = 1;  // s
};

enum class Activation : uint8_t { none, relu, leaky_relu, tanh };
struct LinearActivation {
    Activation function = Activation::none;
    double slope = 0;  // of leaky_relu, >= 0
};

// Those gradients that are not null are computed.
template <class T>
struct LinearGradients {
    T* x;
    T* weight;
    T* bias;
};

template <class T>
struct LinearKernels {
    void (*forward)(Queue&, LinearShape, LinearActivation, const T* x, const T* weight, const T* bias, T* y);
    // x, weight: read for the gradient of the other; y: read unless f is none
    void (*backward)(Queue&, LinearShape, LinearActivation, const T* x, const T* weight, const T* y,
                     const T* dy, LinearGradients<T>);
};
template <class T>
const LinearKernels<T>& linear(Device device);
const LinearKernels<float>& linear_on(simt::Gpu);  // linear.cu
const LinearKernels<float>& linear_on(cuda::Gpu);

}  // namespace lily::kernels
