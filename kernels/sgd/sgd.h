// SPDX-License-Identifier: MIT
// Stochastic gradient descent over a list of parameters, each element read and written once.
//   g̃ = g + λ p                 λ = 0 leaves g as it is, whatever p is
//   b ← μ b + (1 − τ) g̃         at first b ← g̃; without momentum (μ = 0) there is no b
//   p ← p − η b                 with Nesterov p ← p − η (g̃ + μ b); without momentum p ← p − η g̃
#pragma once

#include <cstdint>
#include <span>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct SgdSettings {
    double lr;             // η
    double momentum = 0;   // μ
    double dampening = 0;  // τ
    double weight_decay = 0;
    bool nesterov = false;
    const float* replayed_lr = nullptr;  // on a GPU: where the kernel finds lr instead
};

// One parameter with its state; all arrays are (n) in the same order.
template <class T>
struct SgdParameter {
    int64_t n;
    T* p;
    T* b;  // null without momentum
    const T* g;
    bool is_first;  // b holds nothing yet
};

template <class T>
struct SgdKernels {
    void (*update)(Queue&, const SgdSettings&, std::span<const SgdParameter<T>>);
};
template <class T>
const SgdKernels<T>& sgd(Device device);
const SgdKernels<float>& sgd_on(simt::Gpu);  // sgd.cu
const SgdKernels<float>& sgd_on(cuda::Gpu);

}  // namespace lily::kernels
