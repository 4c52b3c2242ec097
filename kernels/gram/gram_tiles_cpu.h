// SPDX-License-Identifier: MIT
// The innermost loop of the Gram matrix of a blocked map: a small tile of it, held in registers.
// Included by gram_cpu.cpp and called inside parallel_for, where it is compiled per instruction set.
#pragma once

#include "kernels/common/vector_tiles.h"

namespace lily::kernels::gram_tiles {

// g[r, v·B + l] = (add ? g : 0) + Σ_m a[m, r] · b[v, m, l]: R channels of one block against V whole blocks.
//   a (positions, B), at the first of the R channels   b (V, b_stride)   g (R, V·B), rows ldg apart
template <int B, int R, int V>
inline void forward_tile(int64_t positions, const float* a, const float* b, int64_t b_stride, bool add,
                         float* g, int64_t ldg) {
    Vector<B> sum[R][V] = {};
    for (int64_t m = 0; m < positions; ++m) {
        Vector<B> column[V];
        for (int v = 0; v < V; ++v) column[v] = lanes<B>(b + v * b_stride + m * B);
        for (int r = 0; r < R; ++r)
            for (int v = 0; v < V; ++v) sum[r][v] += a[m * B + r] * column[v];
    }
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v) {
            auto& out = lanes<B>(g + r * ldg + v * B);
            out = add ? out + sum[r][v] : sum[r][v];
        }
}

}  // namespace lily::kernels::gram_tiles
