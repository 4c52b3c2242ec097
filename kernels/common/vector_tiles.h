// SPDX-License-Identifier: MIT
// Vectors of B neighbouring channels, and the innermost loop of every product over blocked maps: a small tile
// of the result that stays in registers. Called inside parallel_for, where it is compiled per instruction
// set.
#pragma once

#include <cstdint>

namespace lily::kernels {

// B neighbouring floats, in a register or anywhere in memory.
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
template <int B>
using Vector = typename VectorOf<B>::in_register;

// The B floats at p, to read or to write. (Vectors that functions take or return by value would have another
// ABI in each instruction set.)
template <int B>
inline const typename VectorOf<B>::type& lanes(const float* p) {
    return *reinterpret_cast<const typename VectorOf<B>::type*>(p);
}
template <int B>
inline typename VectorOf<B>::type& lanes(float* p) {
    return *reinterpret_cast<typename VectorOf<B>::type*>(p);
}

// out[v, p, l] = (add ? out : 0) + Σ_k a[k/B, p, k%B] · w[v, k, l]: V blocks of channels at P positions.
//   a (channels/B, stride), out (V, stride): blocks `stride` floats apart, here at the first position
//   w (V, w_stride): (channels, B) at the start of each
template <int B, int P, int V>
inline void product_tile(int64_t channels, const float* a, int64_t stride, const float* w, int64_t w_stride,
                         bool add, float* out) {
    Vector<B> sum[P][V];
    for (int p = 0; p < P; ++p)
        for (int v = 0; v < V; ++v) {
            sum[p][v] = Vector<B>{};
            if (add) sum[p][v] = lanes<B>(out + v * stride + p * B);
        }
    for (int64_t block = 0; block < channels / B; ++block) {
        const float* from = a + block * stride;
        const float* row = w + block * B * B;
#pragma GCC unroll 2
        for (int k = 0; k < B; ++k) {
            Vector<B> weight[V];
            for (int v = 0; v < V; ++v) weight[v] = lanes<B>(row + v * w_stride + k * B);
            for (int p = 0; p < P; ++p)
                for (int v = 0; v < V; ++v) sum[p][v] += from[p * B + k] * weight[v];
        }
    }
    for (int p = 0; p < P; ++p)
        for (int v = 0; v < V; ++v) lanes<B>(out + v * stride + p * B) = sum[p][v];
}

}  // namespace lily::kernels
