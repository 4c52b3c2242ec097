// SPDX-License-Identifier: MIT
// A tile of C = A Bᵀ on the tensor cores, A (m, k) and B (n, k) both row-major, as a fully connected layer
// has them: factors are rounded to TF32 or bf16, sums are f32.
//
// A block of four warps computes 64 x 64 elements; a warp 32 x 32 of them, as 2 x 2 fragments of 16 x 16. 32
// values of k at a time go through shared memory, already rounded; those of the next round are on their way
// into registers meanwhile. Rows are padded there so that the eight rows that a warp reads at once lie in
// different banks: 36 floats, or 40 halves, apart. What is outside of A or B counts as 0, so any size will
// do.
#pragma once

#include <cuda_bf16.h>
#include <mma.h>

#include "kernels/common/packs.h"

namespace lily::kernels::LILY_CUDA_DEVICE {

inline constexpr int kCoreTile = 64, kCoreDepth = 32, kCoreThreads = 128;
inline constexpr int kCorePacks = kCoreTile * kCoreDepth / kCoreThreads / kPack;  // per thread and operand
inline constexpr int kSumsRow = kCoreTile + kPack;

struct Tf32 {
    using Type = nvcuda::wmma::precision::tf32;
    using Stored = float;
    static constexpr int kDepth = 8, kRow = kCoreDepth + 4;  // k of one product; a row in shared memory
    __device__ static float rounded(float x) { return nvcuda::wmma::__float_to_tf32(x); }
};
struct Bf16 {
    using Type = __nv_bfloat16;
    using Stored = __nv_bfloat16;
    static constexpr int kDepth = 16, kRow = kCoreDepth + 8;
    __device__ static __nv_bfloat16 rounded(float x) { return __float2bfloat16(x); }
};

// A or B: `rows` rows of k values, of which the block needs those from `first` on.
struct CoreOperand {
    const float* data;
    int64_t rows, first;
    bool packed;  // packs begin at every multiple of kPack in every row
};

using CorePacks = Pack<float>[kCorePacks];

__device__ inline void fetch(const CoreOperand& from, int64_t k, int64_t begin, CorePacks& packs) {
    for (int step = 0; step < kCorePacks; ++step) {
        const int pack = static_cast<int>(threadIdx.x) + step * kCoreThreads;
        const int64_t row = from.first + pack / (kCoreDepth / kPack);
        const int64_t at = begin + pack % (kCoreDepth / kPack) * kPack;
        packs[step] = row < from.rows ? load_pack(from.data + row * k, at, k, from.packed) : Pack<float>{};
    }
}

template <class Factor>
__device__ void put(const CorePacks& packs, typename Factor::Stored* tile) {
    for (int step = 0; step < kCorePacks; ++step) {
        const int pack = static_cast<int>(threadIdx.x) + step * kCoreThreads;
        auto* place = tile + pack / (kCoreDepth / kPack) * Factor::kRow + pack % (kCoreDepth / kPack) * kPack;
        Pack<typename Factor::Stored> rounded;
        for (int c = 0; c < kPack; ++c) rounded.lane[c] = Factor::rounded(packs[step].lane[c]);
        *reinterpret_cast<Pack<typename Factor::Stored>*>(place) = rounded;
    }
}

// store(i, j, sums) for every row i of the tile and run of kPack columns from j on that begins inside of C.
template <class Factor, class Store>
__device__ void tensor_core_tile(const CoreOperand& a, const CoreOperand& b, int64_t k, const Store& store) {
    using namespace nvcuda;
    using Stored = typename Factor::Stored;
    __shared__ __align__(32) float memory[2 * kCoreTile * Tf32::kRow];  // the factors, then the sums
    static_assert(sizeof memory >= 2 * kCoreTile * Factor::kRow * sizeof(Stored) &&
                  sizeof memory >= kCoreTile * kSumsRow * sizeof(float));
    Stored* const a_tile = reinterpret_cast<Stored*>(memory);
    Stored* const b_tile = a_tile + kCoreTile * Factor::kRow;
    const int warp = static_cast<int>(threadIdx.x) / 32, row = warp / 2 * 32, column = warp % 2 * 32;

    wmma::fragment<wmma::accumulator, 16, 16, Factor::kDepth, float> sum[2][2];
    for (auto& line : sum)
        for (auto& fragment : line) wmma::fill_fragment(fragment, 0.0f);
    CorePacks next_a, next_b;
    fetch(a, k, 0, next_a);
    fetch(b, k, 0, next_b);
    for (int64_t begin = 0; begin < k; begin += kCoreDepth) {
        put<Factor>(next_a, a_tile);
        put<Factor>(next_b, b_tile);
        __syncthreads();
        fetch(a, k, begin + kCoreDepth, next_a);
        fetch(b, k, begin + kCoreDepth, next_b);
        for (int d = 0; d < kCoreDepth; d += Factor::kDepth) {
            using Type = typename Factor::Type;
            wmma::fragment<wmma::matrix_a, 16, 16, Factor::kDepth, Type, wmma::row_major> left[2];
            wmma::fragment<wmma::matrix_b, 16, 16, Factor::kDepth, Type, wmma::col_major> right[2];
            for (int half = 0; half < 2; ++half) {
                wmma::load_matrix_sync(left[half], a_tile + (row + 16 * half) * Factor::kRow + d,
                                       Factor::kRow);
                wmma::load_matrix_sync(right[half], b_tile + (column + 16 * half) * Factor::kRow + d,
                                       Factor::kRow);
            }
            for (int r = 0; r < 2; ++r)
                for (int c = 0; c < 2; ++c) wmma::mma_sync(sum[r][c], left[r], right[c], sum[r][c]);
        }
        __syncthreads();
    }

    // which lane holds which element is not ours to know: through shared memory
    for (int r = 0; r < 2; ++r)
        for (int c = 0; c < 2; ++c)
            wmma::store_matrix_sync(memory + (row + 16 * r) * kSumsRow + column + 16 * c, sum[r][c], kSumsRow,
                                    wmma::mem_row_major);
    __syncthreads();
    for (int pack = static_cast<int>(threadIdx.x); pack < kCoreTile * kCoreTile / kPack;
         pack += kCoreThreads) {
        const int i = pack / (kCoreTile / kPack), j = pack % (kCoreTile / kPack) * kPack;
        if (a.first + i < a.rows && b.first + j < b.rows)
            store(a.first + i, b.first + j, *reinterpret_cast<const Pack<float>*>(memory + i * kSumsRow + j));
    }
}

inline int64_t core_tiles_over(int64_t size) { return (size + kCoreTile - 1) / kCoreTile; }

}  // namespace lily::kernels::LILY_CUDA_DEVICE
