// SPDX-License-Identifier: MIT
// What ops of several tensors share that are broadcast against each other.
#pragma once

#include "framework/tensor.h"
#include "kernels/common/broadcast.h"

namespace lily {

// Strides of a row-major `from`, aligned with the last dimension of `to`; 0 along broadcast dimensions.
inline void broadcast_strides(const Shape& from, const Shape& to, kernels::BroadcastArray& stride) {
    int64_t step = 1;
    for (int64_t i = from.rank() - 1; i >= 0; --i) {
        stride[static_cast<size_t>(i + to.rank() - from.rank())] = from[i] == 1 ? 0 : step;
        step *= from[i];
    }
}

// Merges neighbouring dimensions that all operands walk through alike: (8,3,32,32) op (8,3,32,32) is one run.
// strides: the members of S that are an operand's.
template <class S, class... Strides>
S merged(const S& s, Strides... strides) {
    S m;
    for (size_t d = 0; d < static_cast<size_t>(s.rank); ++d) {
        if (s.size[d] == 1) continue;
        const size_t last = static_cast<size_t>(m.rank) - 1;
        const bool joins = m.rank > 0 && (((m.*strides)[last] == (s.*strides)[d] * s.size[d]) && ...);
        const size_t at = joins ? last : static_cast<size_t>(m.rank++);
        m.size[at] = joins ? m.size[at] * s.size[d] : s.size[d];
        (((m.*strides)[at] = (s.*strides)[d]), ...);
    }
    return m;
}

// A scalar of the CPU goes to where the others are, as in PyTorch.
inline void move_constant(Tensor& t, Device device) {
    if (t.rank() == 0 && t.device() == Device::cpu && !t.requires_grad()) t = t.to(device);
}

}  // namespace lily
