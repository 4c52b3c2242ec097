// SPDX-License-Identifier: MIT
// Adam (Kingma & Ba 2015, algorithm 1) over a list of parameters, each element read and written once.
//   g̃ = g + λ p  (Adam)        or  p ← (1 − lr λ) p  (AdamW: decoupled, Loshchilov & Hutter 2019)
//   m ← β₁ m + (1 − β₁) g̃        m̂ = m / (1 − β₁ᵗ)
//   v ← β₂ v + (1 − β₂) g̃²       v̂ = v / (1 − β₂ᵗ)
//   p ← p − lr m̂ / (√v̂ + ε)                                or, as in TensorFlow 1, m̂ √(1 − β₂ᵗ) / (√v + ε)
// λ = 0 leaves g as it is, whatever p is.
#pragma once

#include <cmath>
#include <cstdint>
#include <span>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct AdamSettings {
    double lr, beta1, beta2, eps;
    double weight_decay = 0;       // λ
    bool decoupled = false;        // AdamW
    bool eps_uncorrected = false;  // ε beside √v instead of √v̂
};

// What of an update depends on t and lr, computed in double.
struct AdamNumbers {
    float step_size;  // lr √(1 − β₂ᵗ) / (1 − β₁ᵗ)
    float eps;  // ε √(1 − β₂ᵗ), or ε beside √v: both sides times √(1 − β₂ᵗ), so one division is enough
    float keep;  // 1 − lr λ of AdamW, else 1
};
inline AdamNumbers adam_numbers(const AdamSettings& s, int64_t step) {
    const double correction1 = 1 - std::pow(s.beta1, static_cast<double>(step));
    const double root2 = std::sqrt(1 - std::pow(s.beta2, static_cast<double>(step)));
    return {static_cast<float>(s.lr / correction1 * root2),
            static_cast<float>(s.eps_uncorrected ? s.eps : s.eps * root2),
            static_cast<float>(s.decoupled ? 1 - s.lr * s.weight_decay : 1)};
}

// One parameter with its state; all four arrays are (n) in the same order.
template <class T>
struct AdamParameter {
    int64_t n;
    int64_t step;  // t, 1 for the first update
    T* p;
    T* m;
    T* v;
    const T* g;
    const AdamNumbers* replayed = nullptr;  // on a GPU: where the kernel finds what t and lr stand for
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
