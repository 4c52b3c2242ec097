// SPDX-License-Identifier: MIT
// Adam (Kingma & Ba 2015, algorithm 1) over a list of parameters, each element read and written once.
//   g̃ = g + λ p  (Adam)        or  p ← (1 − lr λ) p  (AdamW: decoupled, Loshchilov & Hutter 2019)
//   m ← β₁ m + (1 − β₁) g̃        m̂ = m / (1 − β₁ᵗ)
//   v ← β₂ v + (1 − β₂) g̃²       v̂ = v / (1 − β₂ᵗ)
//   p ← p − lr m̂ / (√v̂ + ε)
// λ = 0 leaves g as it is, whatever p is.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct AdamSettings {
    double lr, beta1, beta2, eps;
    double weight_decay = 0;  // λ
    bool decoupled = false;   // AdamW
};

// One parameter with its state; all four arrays are (n) in the same order.
template <class T>
struct AdamParameter {
    int64_t n;
    int64_t step;  // t, 1 for the first update
    T* p;
    T* m;
    T* v;
    const T* g;
};

template <class T>
struct AdamKernels {
    void (*update)(Queue&, const AdamSettings&, std::span<const AdamParameter<T>>);
};
template <class T>
const AdamKernels<T>& adam(Device device);
const AdamKernels<float>& adam_on(simt::Gpu);  // adam.cu
const AdamKernels<float>& adam_on(cuda::Gpu);

}  // namespace lily::kernels
