// SPDX-License-Identifier: MIT
// The product that matmul, linear, gram and conv2d share: a tile of C = Σ_k A(i,k) B(k,j), where A and B are
// functions of their indices, so that transposed, symmetric or gathered (im2col) operands are never written
// out.
//
// A block of 256 threads computes 64 x 64 elements, each thread 4 x 4 of them in registers. 16 values of k at
// a time go through shared memory, k outermost; rows are 68 apart there, so that packs stay aligned and no
// two lanes of a warp write to one bank.
#pragma once

#include "kernels/common/index.h"
#include "kernels/common/packs.h"

namespace lily::kernels::LILY_CUDA_DEVICE {

inline constexpr int kTile = 64, kTileDepth = 16, kTileThreads = 256, kTileRow = kTile + kPack;

// What of C a block computes: rows from i, columns from j, k in [first, last).
struct Tile {
    int64_t i, j, first, last;
};

// tile[k][at] = operand(at, k), 0 outside. kAlongK: neighbours in memory differ in k (else in `at`), so a
// warp's lanes are laid out 8 along k and 4 along `at`, or all along `at`.
template <bool kAlongK, class Operand>
__device__ void load_tile(float (&tile)[kTileDepth][kTileRow], int64_t begin, int64_t size, int64_t k_begin,
                          int64_t k_end, const Operand& operand) {
    for (int step = 0; step < kTile * kTileDepth / kTileThreads; ++step) {
        const int e = static_cast<int>(threadIdx.x) + step * kTileThreads;
        const int k = kAlongK ? (e & 7) | (e >> 9 << 3) : e / kTile;
        const int at = kAlongK ? e >> 3 & (kTile - 1) : e % kTile;
        const bool inside = begin + at < size && k_begin + k < k_end;
        tile[k][at] = inside ? operand(begin + at, k_begin + k) : 0.0f;
    }
}

// store(i, j, sums) for every row i of the tile and run of kPack columns from j on that begins inside of the
// (m, n) matrix; a run's end may be outside. a(i, k), b(j, k).
template <bool kAAlongK, bool kBAlongK, class A, class B, class Store>
__device__ void product_packs(int64_t m, int64_t n, const Tile& t, const A& a, const B& b,
                              const Store& store) {
    __shared__ __align__(16) float a_tile[kTileDepth][kTileRow];
    __shared__ __align__(16) float b_tile[kTileDepth][kTileRow];
    const int row = static_cast<int>(threadIdx.x) / (kTile / kPack) * kPack;
    const int column = static_cast<int>(threadIdx.x) % (kTile / kPack) * kPack;
    Pack<float> sum[kPack] = {};
    for (int64_t k = t.first; k < t.last; k += kTileDepth) {
        load_tile<kAAlongK>(a_tile, t.i, m, k, t.last, a);
        load_tile<kBAlongK>(b_tile, t.j, n, k, t.last, b);
        __syncthreads();
        for (int d = 0; d < kTileDepth; ++d) {
            const Pack<float> left = *reinterpret_cast<const Pack<float>*>(&a_tile[d][row]);
            const Pack<float> right = *reinterpret_cast<const Pack<float>*>(&b_tile[d][column]);
            for (int r = 0; r < kPack; ++r)
                for (int c = 0; c < kPack; ++c) sum[r].lane[c] += left.lane[r] * right.lane[c];
        }
        __syncthreads();
    }
    for (int r = 0; r < kPack; ++r)
        if (t.i + row + r < m && t.j + column < n) store(t.i + row + r, t.j + column, sum[r]);
}

// store(i, j, value) for every element of the tile inside of the (m, n) matrix.
template <bool kAAlongK, bool kBAlongK, class A, class B, class Store>
__device__ void product_tile(int64_t m, int64_t n, const Tile& t, const A& a, const B& b,
                             const Store& store) {
    product_packs<kAAlongK, kBAlongK>(m, n, t, a, b, [&](int64_t i, int64_t j, const Pack<float>& sums) {
        for (int c = 0; c < kPack; ++c)
            if (j + c < n) store(i, j + c, sums.lane[c]);
    });
}

inline int64_t tiles_over(int64_t size) { return (size + kTile - 1) / kTile; }

}  // namespace lily::kernels::LILY_CUDA_DEVICE
