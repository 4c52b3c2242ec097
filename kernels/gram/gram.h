// SPDX-License-Identifier: MIT
// Gram matrix of a feature map: how its channels correlate (Gatys et al. 2016, eq. 3).
//   forward   G  = scale F Fᵀ              F  (N, C, M), M = H·W positions    G  (N, C, C), symmetric
//   backward  dF = scale (dG + dGᵀ) F      dG (N, C, C)                       dF (N, C, M)
// How far it is from a target A (N, C, C), in the same pass:
//   distance  D  = G - A,  y = weight Σ D²
//   backward  dF = scale (dD + dDᵀ) F,  dD = 2 weight dy D
// F and dF may be blocked, as vector convolution leaves them: (N, C/block, M, block), C a multiple of block.
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct GramShape {
    int64_t n, channels, positions;
    int64_t block = 1;  // 1 (plain), 8 or 16
    double scale = 1;
};

template <class T>
struct GramKernels {
    void (*forward)(Queue&, const GramShape&, const T* f, T* g);
    void (*backward)(Queue&, const GramShape&, const T* f, const T* dg, T* df);
    // y and dy: one element
    void (*distance)(Queue&, const GramShape&, double weight, const T* f, const T* target, T* difference,
                     T* y);
    void (*distance_backward)(Queue&, const GramShape&, double weight, const T* f, const T* difference,
                              const T* dy, T* df);
};
template <class T>
const GramKernels<T>& gram(Device device);
const GramKernels<float>& gram_on(simt::Gpu);  // gram.cu
const GramKernels<float>& gram_on(cuda::Gpu);

}  // namespace lily::kernels
