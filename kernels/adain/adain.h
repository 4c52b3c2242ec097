// SPDX-License-Identifier: MIT
// Instance normalisation of every plane (one channel of one sample), and the style that AdaIN gives it
// (Huang & Belongie 2017; as in StyleGAN, with the scale around 1):
//   forward   mean = Σ x / M,  σ² = Σ (x - mean)² / M,  rstd = 1/√(σ² + ε)
//             x̂ = (x - mean) rstd      y = x̂ (1 + s) + b           s = b = 0 where they are null
//   backward  dx = (1 + s) rstd (dy - Σ dy / M - x̂ Σ dy x̂ / M)      ds = Σ dy x̂      db = Σ dy
// A plane without spread has rstd = 0 where ε = 0. Sums and squares are double, and means are subtracted in
// two parts, as in kernels/batch_norm/batch_norm.h. On a GPU, memory is read once per pass where a plane
// (forward) or two (backward) fit into 96 KB.
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct AdainShape {
    int64_t planes, positions;  // N·C, M = H·W >= 1
    double eps;
    int64_t lanes = 1;  // planes side by side: x (planes/lanes, positions, lanes); 8 or 16 on the CPU alone
};

// s, b, ds, db: one per plane. statistics (3, planes), for the backward pass: the mean, what rounding it has
// cut off, rstd.
template <class T>
struct AdainKernels {
    // s and b, or both null
    void (*forward)(Queue&, const AdainShape&, const T* x, const T* s, const T* b, T* y, T* statistics);
    // ds and db may be null
    void (*backward)(Queue&, const AdainShape&, const T* x, const T* s, const T* statistics, const T* dy,
                     T* dx, T* ds, T* db);
};
template <class T>
const AdainKernels<T>& adain(Device device);
const AdainKernels<float>& adain_on(simt::Gpu);  // adain.cu
const AdainKernels<float>& adain_on(cuda::Gpu);

}  // namespace lily::kernels
