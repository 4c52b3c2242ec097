// SPDX-License-Identifier: MIT
// What ops of several tensors share that are broadcast against each other.
#pragma once

#include <algorithm>
#include <initializer_list>

#include "framework/autograd.h"
#include "framework/ops/blocked.h"
#include "kernels/common/broadcast.h"

namespace lily {

// An operand, and the member of the kernel's shape S that has its strides.
template <class S>
struct Operand {
    Tensor& t;
    kernels::BroadcastArray S::*stride;
};

// Brings operands that are broadcast to `shape` into a format in which a kernel can walk them, and says how
// in s. Returns the result's format: blocked if an operand of that shape is, else contiguous.
template <class S>
MemoryFormat broadcast(const Shape& shape, S& s, std::initializer_list<Operand<S>> operands) {
    const NoGrad no_grad;
    const auto leads = [&](const Operand<S>& o) { return is_blocked(o.t) && o.t.shape() == shape; };
    const auto* leader = std::find_if(operands.begin(), operands.end(), leads);
    const MemoryFormat format = leader == operands.end() ? MemoryFormat::contiguous : leader->t.format();
    const int64_t block = channel_block(format);
    const Shape sizes = memory_shape(shape, block);
    s.rank = static_cast<int>(sizes.rank());
    std::copy(sizes.begin(), sizes.end(), s.size.begin());
    for (const Operand<S>& o : operands) {
        o.t = to_broadcast(o.t, block);
        std::ranges::copy(map_strides(o.t, shape, block), (s.*o.stride).begin());
    }
    return format;
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
