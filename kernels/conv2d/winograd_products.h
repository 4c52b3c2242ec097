// SPDX-License-Identifier: MIT
// Second stage of a Winograd convolution: for one element, a product over the input channels. Both passes use
// one form of the transformed weights, u (c/B, k/B, c%B, k%B). Forward, its vectors of k are summed for each
// tile; backward data sums over k, so there the vectors run over tiles:
//   forward          m[k/B][tile][k%B] = Σ_c v[c][tile] u[…]          m (blocks, tiles, B)
//   backward data    m[tile/B][c][tile%B] = Σ_k u[…] v[k][tile]       m (tiles/B, channels, B)
// Included by conv2d_winograd_*cpu.cpp only.
#pragma once

#include "kernels/common/vector_tiles.h"
#include "kernels/conv2d/winograd_problem.h"

namespace lily::kernels::winograd {

// One slice of v by some weights across (along it is product_rows): `rows` channels, whole
// blocks of them.
template <int B, class Next>
inline void multiply_slice_across(const Piece& piece, int64_t depth, const BlockStrides& stride, int rows,
                                  const float* v, const float* u, bool add, float* m, const Next& next) {
    constexpr int P = kChannelsAtOnce<B>;
    const int64_t groups = (piece.count + B - 1) / B;
    for (int64_t group = 0; group < groups;) {
        // 4 groups are better cut into 2 + 2 than 3 + 1
        const int64_t width = groups - group == 4 ? 2 : std::min<int64_t>(3, groups - group);
        const float* w = v + group * depth * B;
        for (int c = 0; c < rows; c += P) {
            float* sums = m + group * stride.out + c * B;
            if (width == 3)
                product_tile<B, P, 3>(depth, stride, u + c * B, w, add, sums, next);
            else if (width == 2)
                product_tile<B, P, 2>(depth, stride, u + c * B, w, add, sums, next);
            else
                product_tile<B, P, 1>(depth, stride, u + c * B, w, add, sums, next);
        }
        group += width;
    }
}

// All blocks of a piece, with weights that were transformed before. While a part of u is in use the next one
// is fetched, after the last that of the next element, u_next: it has left all caches since the last picture.
template <int B>
inline void multiply(const Problem& p, const Piece& piece, const Slices& slices, const float* u,
                     const float* u_next, const float* v, float* m) {
    constexpr int P = kTilesAtOnce<B>, V = kBlocksAtOnce;
    constexpr int64_t kFetched = 16 * B, kParts = std::max(1, V * B / 16);  // floats of a tile, tiles for all
    const int64_t group = weight_group(B, p.out);
    const BlockStrides stride{.a = P * B, .w = group, .w_next = B * B, .out = piece.stride * B};
    for (int64_t block = piece.first_block; block < piece.last_block;) {
        const bool wide = block + V <= piece.last_block;
        const int64_t width = wide ? V : 1;
        for (int64_t c = 0; c < p.in; c += slices.depth) {
            const int64_t depth = slices.size(c);
            const float *from = v + c * piece.stride, *w = u + c / B * group + block * B * B;
            const float* next = c + depth < p.in                   ? w + depth / B * group
                                : block + width < piece.last_block ? u + (block + width) * B * B
                                                                   : u_next + piece.first_block * B * B;
            float* to = m + (block - piece.first_block) * piece.stride * B;
            int64_t part = 0;
            const auto ahead = [&] { return Ahead{next + part++ % kParts * kFetched, group}; };
            wide ? product_rows<B, P, V>(piece.count, depth, stride, from, depth * P, w, c > 0, to, ahead)
                 : product_rows<B, P, 1>(piece.count, depth, stride, from, depth * P, w, c > 0, to, ahead);
        }
        block += width;
    }
}

// The same across.
template <int B>
inline void multiply_across(const Problem& p, const Piece& piece, const Slices& slices, const float* u,
                            const float* u_next, const float* v, float* m) {
    const int64_t rows = (piece.last_block - piece.first_block) * B, row = weight_group(B, p.in);
    for (int64_t block = piece.first_block; block < piece.last_block; ++block)
        for (int64_t k = 0; k < p.in; k += slices.depth) {
            const int64_t depth = slices.size(k);
            const BlockStrides stride{.a = B * B, .w = B * B, .w_next = depth * B, .out = rows * B};
            const float* from = u + block * row + k * B;
            const Ahead next{k + depth < p.in               ? from + depth * B
                             : block + 1 < piece.last_block ? u + (block + 1) * row
                                                            : u_next + piece.first_block * row,
                             B * B};
            multiply_slice_across<B>(piece, depth, stride, B, v + k * piece.stride, from, k > 0,
                                     m + (block - piece.first_block) * B * B, next);
        }
}

}  // namespace lily::kernels::winograd
