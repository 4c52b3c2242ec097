// SPDX-License-Identifier: MIT
// Batch normalisation (Ioffe & Szegedy 2015) of x (n, channels, inner), each channel for itself; m = n ·
// inner values of a channel, sums accumulated in double.
//   forward   x̂ = (x - μ) r       y = w x̂ + b       μ = Σ x / m     σ² = Σ (x - μ)² / m     r = 1 / √(σ² + ε)
//             running μ ← (1 - momentum) running μ + momentum μ;    the same with σ² m / (m - 1), the
//             unbiased
//   backward  dw = Σ dy x̂         db = Σ dy         dx = w r (dy - db / m - x̂ dw / m)
//             where μ and r are constants (eval):   dx = w r dy
// μ and db / m are known in double, and what rounding cuts off shows where x or dy vary little around them.
// So both are subtracted in two parts, the second within what is the same for all of a channel.
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct BatchNormShape {
    int64_t n, channels, inner;
    double eps;
    // channels side by side: x (n, channels/lanes, inner, lanes); 8 or 16 on the CPU alone
    int64_t lanes = 1;
};

// weight and bias (channels) may be null: 1 and 0. statistics (3, channels), for the backward pass: μ, what
// rounding it has cut off, r.
template <class T>
struct BatchNormKernels {
    // With the batch's own statistics. running_mean and running_var (channels): both or none.
    void (*train)(Queue&, BatchNormShape, double momentum, const T* x, const T* weight, const T* bias,
                  T* running_mean, T* running_var, T* statistics, T* y);
    // With given ones.
    void (*eval)(Queue&, BatchNormShape, const T* x, const T* weight, const T* bias, const T* mean,
                 const T* var, T* statistics, T* y);
    // dx, dweight, dbias: those that are not null. constant: the statistics do not depend on x.
    void (*backward)(Queue&, BatchNormShape, bool constant, const T* x, const T* weight, const T* statistics,
                     const T* dy, T* dx, T* dweight, T* dbias);
};
template <class T>
const BatchNormKernels<T>& batch_norm(Device device);
const BatchNormKernels<float>& batch_norm_on(simt::Gpu);  // batch_norm.cu
const BatchNormKernels<float>& batch_norm_on(cuda::Gpu);

}  // namespace lily::kernels
