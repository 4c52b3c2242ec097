// SPDX-License-Identifier: MIT
// Vectors of B neighbouring channels, and the innermost loop of every product over blocked maps: a small tile
// of the result that stays in registers. Called inside parallel_for, where it is compiled per instruction
// set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

namespace lily::kernels {

// B neighbouring floats, in a register or anywhere in memory.
template <int B>
struct VectorOf;
template <>
struct VectorOf<8> {
    typedef float type __attribute__((vector_size(32), aligned(4), may_alias));
    typedef float in_register __attribute__((vector_size(32)));
    typedef int32_t integers __attribute__((vector_size(32)));
    typedef uint8_t bytes_in_memory __attribute__((vector_size(8), aligned(1), may_alias));
};
template <>
struct VectorOf<16> {
    typedef float type __attribute__((vector_size(64), aligned(4), may_alias));
    typedef float in_register __attribute__((vector_size(64)));
    typedef int32_t integers __attribute__((vector_size(64)));
    typedef uint8_t bytes_in_memory __attribute__((vector_size(16), aligned(1), may_alias));
};
template <int B>
using Vector = typename VectorOf<B>::in_register;
template <int B>
using Integers = typename VectorOf<B>::integers;  // as wide as the floats: what comparisons give

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

// B bytes in memory as integers.
template <int B>
inline void load_bytes(const uint8_t* p, Integers<B>& values) {
    values = __builtin_convertvector(*reinterpret_cast<const typename VectorOf<B>::bytes_in_memory*>(p),
                                     typename VectorOf<B>::integers);
}
// Exchanges rows and lanes of B vectors, in log2(B) rounds: round d swaps the off-diagonal quarters of all
// squares of side 2d.
template <int B, int D, size_t... L>
inline void transpose_round(Vector<B> (&rows)[B], std::index_sequence<L...>) {
    for (int i = 0; i < B; ++i) {
        if (i & D) continue;
        const Vector<B> upper = rows[i], lower = rows[i + D];
        rows[i] = __builtin_shufflevector(upper, lower, (L & D ? B + static_cast<int>(L) - D : L)...);
        rows[i + D] = __builtin_shufflevector(upper, lower, (L & D ? B + L : L + D)...);
    }
}
template <int B>
inline void transpose(Vector<B> (&rows)[B]) {
    constexpr auto lane = std::make_index_sequence<B>{};
    if constexpr (B > 8) transpose_round<B, 8>(rows, lane);
    transpose_round<B, 4>(rows, lane);
    transpose_round<B, 2>(rows, lane);
    transpose_round<B, 1>(rows, lane);
}

// rows[0] = the sum of each row's lanes, one row's in each lane: round d adds the lanes that are d apart of
// rows i and i + d, and keeps them in half a row each.
template <int B, int D, size_t... L>
inline void sum_round(Vector<B> (&rows)[B], std::index_sequence<L...>) {
    for (int i = 0; i < D; ++i) {
        const Vector<B> upper = rows[i], lower = rows[i + D];
        rows[i] = __builtin_shufflevector(upper, lower, (L & D ? B + static_cast<int>(L) - D : L)...) +
                  __builtin_shufflevector(upper, lower, (L & D ? B + L : L + D)...);
    }
}
template <int B>
inline void sum_lanes(Vector<B> (&rows)[B]) {
    constexpr auto lane = std::make_index_sequence<B>{};
    if constexpr (B > 8) sum_round<B, 8>(rows, lane);
    sum_round<B, 4>(rows, lane);
    sum_round<B, 2>(rows, lane);
    sum_round<B, 1>(rows, lane);
}

// Channels cut into slices of `depth`, the last may have less: what a product reads together lies together.
// (Rows at distances of a power of two would fall into the same sets of the cache, and no prefetcher would
// see them coming.)
struct Slices {
    int64_t channels, depth;

    int64_t size(int64_t first) const { return depth < channels - first ? depth : channels - first; }
    int64_t first_of(int64_t channel) const { return channel / depth * depth; }
};

// A matrix of (channels/B, rows, B) or, as weights, (rows, channels/B, B, B) floats: how far apart its parts
// are.
struct BlockStrides {
    int64_t a;          // between the blocks of channels of a
    int64_t w, w_next;  // between the blocks of channels of w, and between its V blocks
    int64_t out;        // between the V blocks of out
};

// Memory that is wanted next, brought nearer while a tile is computed: one cache line per step k, from `at`
// on. Weights come from far away and in short runs, which no prefetcher of a CPU recognises.
struct Ahead {
    const float* at;
    int64_t next_block;  // floats between what is fetched for neighbouring blocks of channels
};
struct NothingAhead {};

// out[v, p, l] = (add ? out : 0) + Σ_k a[k/B, p, k%B] · w[v, k/B, k%B, l]: V blocks of results at P
// positions.
template <int B, int P, int V, class Next = NothingAhead>
inline void product_tile(int64_t channels, const BlockStrides& stride, const float* a, const float* w,
                         bool add, float* out, [[maybe_unused]] const Next& next = {}) {
    constexpr int kLine = 16;
    Vector<B> sum[P][V];
    for (int p = 0; p < P; ++p)
        for (int v = 0; v < V; ++v) {
            sum[p][v] = Vector<B>{};
            if (add) sum[p][v] = lanes<B>(out + v * stride.out + p * B);
        }
    for (int64_t block = 0; block < channels / B; ++block) {
        const float* from = a + block * stride.a;
        const float* row = w + block * stride.w;
#pragma GCC unroll 2
        for (int k = 0; k < B; ++k) {
            if constexpr (std::is_same_v<Next, Ahead>)
                __builtin_prefetch(next.at + block * next.next_block + k * kLine, 0, 2);
            Vector<B> weight[V];
            for (int v = 0; v < V; ++v) weight[v] = lanes<B>(row + v * stride.w_next + k * B);
            for (int p = 0; p < P; ++p)
                for (int v = 0; v < V; ++v) sum[p][v] += from[p * B + k] * weight[v];
        }
    }
    for (int p = 0; p < P; ++p)
        for (int v = 0; v < V; ++v) lanes<B>(out + v * stride.out + p * B) = sum[p][v];
}

// The same for many positions, P at a time, the rest 4 or 1 at a time; the next P of a lie `next_rows` floats
// on. next(): what to fetch during a tile.
template <int B, int P, int V, class Next>
inline void product_rows(int64_t positions, int64_t channels, const BlockStrides& stride, const float* a,
                         int64_t next_rows, const float* w, bool add, float* out, const Next& next) {
    int64_t i = 0;
    for (; i + P <= positions; i += P, a += next_rows)
        product_tile<B, P, V>(channels, stride, a, w, add, out + i * B, next());
    for (; i + 4 <= positions; i += 4, a += 4 * B)
        product_tile<B, 4, V>(channels, stride, a, w, add, out + i * B, next());
    for (; i < positions; ++i, a += B)
        product_tile<B, 1, V>(channels, stride, a, w, add, out + i * B, next());
}

}  // namespace lily::kernels
