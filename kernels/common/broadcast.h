// SPDX-License-Identifier: MIT
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace lily::kernels {

inline constexpr int kMaxBroadcastRank = 8;
using BroadcastArray = std::array<int64_t, kMaxBroadcastRank>;

// z has sizes `size`; a and b are read with these strides (0 where they are broadcast). Outermost dimension
// first.
struct BroadcastShape {
    static constexpr int kMaxRank = kMaxBroadcastRank;
    int rank = 0;
    BroadcastArray size{}, a_stride{}, b_stride{};
};

// The sizes of dimensions [0, rank) multiplied.
constexpr int64_t product(int rank, const BroadcastArray& size) {
    int64_t n = 1;
    for (int d = 0; d < rank; ++d) n *= size[static_cast<std::size_t>(d)];
    return n;
}

// Where an operand has the element with row-major number `i` of dimensions [0, rank).
constexpr int64_t offset_of(int64_t i, int rank, const BroadcastArray& size, const BroadcastArray& stride) {
    int64_t at = 0;
    for (int d = rank - 1; d >= 0; --d) {
        const auto k = static_cast<std::size_t>(d);
        at += i % size[k] * stride[k];
        i /= size[k];
    }
    return at;
}

}  // namespace lily::kernels
