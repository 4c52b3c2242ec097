// SPDX-License-Identifier: MIT
// The innermost loops of the Gram kernels on blocked maps: small tiles of the result, held in registers.
// Included by gram_cpu.cpp and called inside parallel_for, where they are compiled per instruction set.
#pragma once

#include <cstdint>

namespace lily::kernels::gram_tiles {

// B neighbouring floats, anywhere in memory.
template <int B>
struct VectorOf;
template <>
struct VectorOf<8> {
    typedef float type __attribute__((vector_size(32), aligned(4), may_alias));
    typedef float in_register __attribute__((vector_size(32)));
};
template <>
struct VectorOf<16> {
    typedef float type __attribute__((vector_size(64), aligned(4), may_alias));
    typedef float in_register __attribute__((vector_size(64)));
};

// g[r, v·B + l] = (add ? g : 0) + Σ_m a[m, r] · b[v, m, l]: R channels of one block against V whole blocks.
//   a (positions, B), at the first of the R channels   b (V, b_stride)   g (R, V·B), rows ldg apart
template <int B, int R, int V>
inline void forward_tile(int64_t positions, const float* a, const float* b, int64_t b_stride, bool add,
                         float* g, int64_t ldg) {
    using Memory = typename VectorOf<B>::type;
    using Vector = typename VectorOf<B>::in_register;
    Vector sum[R][V] = {};
    for (int64_t m = 0; m < positions; ++m) {
        Vector column[V];
        for (int v = 0; v < V; ++v) column[v] = *reinterpret_cast<const Memory*>(b + v * b_stride + m * B);
        for (int r = 0; r < R; ++r)
            for (int v = 0; v < V; ++v) sum[r][v] += a[m * B + r] * column[v];
    }
    for (int r = 0; r < R; ++r)
        for (int v = 0; v < V; ++v) {
            auto* out = reinterpret_cast<Memory*>(g + r * ldg + v * B);
            *out = add ? *out + sum[r][v] : sum[r][v];
        }
}

// df[v, p, l] = Σ_k f[k/B, p, k%B] · s[v, k, l]: V blocks of channels at P positions.
//   f (blocks, f_stride) and df (V, f_stride), at the first position   s (V, channels, B)
template <int B, int P, int V>
inline void backward_tile(int64_t channels, const float* f, int64_t f_stride, const float* s, float* df) {
    using Memory = typename VectorOf<B>::type;
    using Vector = typename VectorOf<B>::in_register;
    Vector sum[P][V] = {};
    for (int64_t block = 0; block < channels / B; ++block) {
        const float* a = f + block * f_stride;
        const float* row = s + block * B * B;
        for (int k = 0; k < B; ++k) {
            Vector weight[V];
            for (int v = 0; v < V; ++v)
                weight[v] = *reinterpret_cast<const Memory*>(row + v * channels * B + k * B);
            for (int p = 0; p < P; ++p)
                for (int v = 0; v < V; ++v) sum[p][v] += a[p * B + k] * weight[v];
        }
    }
    for (int p = 0; p < P; ++p)
        for (int v = 0; v < V; ++v) *reinterpret_cast<Memory*>(df + v * f_stride + p * B) = sum[p][v];
}

}  // namespace lily::kernels::gram_tiles
