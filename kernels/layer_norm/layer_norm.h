// SPDX-License-Identifier: MIT
// Rows normalised to mean 0 and variance 1, then scaled and shifted per column. Of a row of n:
//   forward    μ = Σ x / n    r = 1 / √(Σ (x - μ)² / n + ε)    x̂ = (x - μ) r    y = x̂ w + b
//   backward   g = dy w       dx = r (g - Σ g / n - x̂ Σ g x̂ / n)    dw = Σ_rows dy x̂    db = Σ_rows dy
// A row's y and dx depend on that row alone. A row of equal values with ε = 0 has r = 0.
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct LayerNormShape {
    int64_t rows, n;
    double eps;
};

template <class T>
struct LayerNormKernels {
    // weight and bias (n) may be null: 1 and 0. statistics (3, rows): μ rounded, the rest of it, r.
    void (*forward)(Queue&, const LayerNormShape&, const T* x, const T* weight, const T* bias, T* y,
                    T* statistics);
    // dx, dweight, dbias =; those that are null are not wanted
    void (*backward)(Queue&, const LayerNormShape&, const T* x, const T* weight, const T* statistics,
                     const T* dy, T* dx, T* dweight, T* dbias);
};
template <class T>
const LayerNormKernels<T>& layer_norm(Device device);
const LayerNormKernels<float>& layer_norm_on(simt::Gpu);  // layer_norm.cu
const LayerNormKernels<float>& layer_norm_on(cuda::Gpu);

}  // namespace lily::kernels
