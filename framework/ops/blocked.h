// SPDX-License-Identifier: MIT
// Blocked maps as their memory is: row-major, with the channels of a block as a fifth dimension. Included by
// framework/ops/*.cpp only.
#pragma once

#include <vector>

#include "framework/tensor.h"

namespace lily {

inline bool is_blocked(const Tensor& x) { return channel_block(x.format()) > 1; }

// (N,C,H,W) -> (N, C/b, H, W, b); itself for b = 1.
inline Shape memory_shape(const Shape& shape, int64_t block) {
    if (block == 1) return shape;
    return {shape[0], shape[1] / block, shape[2], shape[3], block};
}
inline Shape memory_shape(const Tensor& x) { return memory_shape(x.shape(), channel_block(x.format())); }

// x's memory as a contiguous tensor of that shape, outside of the graph.
inline Tensor memory_of(const Tensor& x) {
    return Tensor(memory_shape(x), {.dtype = x.dtype(), .device = x.device()}, x.storage());
}

// x itself where it is blocked, else contiguous.
inline Tensor blocked_or_contiguous(const Tensor& x) { return is_blocked(x) ? x : x.contiguous(); }

// t in a format whose elements map_strides can find in a result with this block.
inline Tensor to_broadcast(const Tensor& t, int64_t block) {
    return channel_block(t.format()) == block ? blocked_or_contiguous(t) : t.contiguous();
}

// expand() into a format; channels_last comes out contiguous.
Tensor expand_to(const Tensor& x, const Shape& shape, MemoryFormat format);

// How far apart t's elements lie along the dimensions of memory_shape(to, block), where t has been
// broadcast to `to`: 0 along what it lacks. t: from to_broadcast.
inline std::vector<int64_t> map_strides(const Tensor& t, const Shape& to, int64_t block) {
    const Shape& from = t.shape();
    const bool blocked = is_blocked(t);
    std::vector<int64_t> stride(static_cast<size_t>(to.rank()), 0);
    int64_t step = channel_block(t.format());
    for (int64_t d = from.rank() - 1; d >= 0; --d) {
        if (from[d] != 1) stride[static_cast<size_t>(d + to.rank() - from.rank())] = step;
        step *= blocked && d == 1 ? from[d] / block : from[d];
    }
    if (block == 1) return stride;
    stride.push_back(blocked ? 1 : stride[1]);  // within a block
    if (!blocked) stride[1] *= block;
    return stride;
}

}  // namespace lily
