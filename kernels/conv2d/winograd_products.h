// SPDX-License-Identifier: MIT
// Second stage of a Winograd convolution: for one element, a product over the input channels. Both passes use
// one copy of the transformed weights, u (c/B, k/B, c%B, k%B). Forward, its vectors of k are summed for each
// tile; backward data sums over k, so there the vectors run over tiles:
//   forward          m[k/B][tile][k%B] = Σ_c v[c/B][tile][c%B] u[…]     v, m: (blocks, tiles, B)
//   backward data    m[tile/B][c][tile%B] = Σ_k u[…] v[tile/B][k][tile%B]   v, m: (tiles/B, channels, B)
// While a piece of u is in use the next one is fetched: of VGG-19's widest layers every product reads a
// megabyte of weights that has left all caches since the last picture. (512 channels, 32x32: 8.7 ms without,
// 5.9 with; the multiplications alone take 5.2 at the machine's peak.)
// Included by conv2d_winograd_cpu.cpp only.
#pragma once

#include "kernels/common/vector_tiles.h"
#include "kernels/conv2d/winograd_problem.h"

namespace lily::kernels::winograd {

// So many input channels at once that their weights stay in the first-level cache while the tiles go by.
constexpr int64_t kDepth = 128;

// m (blocks, tiles, B): P tiles by V blocks at a time. u_next: the weights of the element after this.
template <int B, int P, int V>
inline void multiply(const Problem& p, const Piece& piece, const float* u, const float* u_next,
                     const float* v, float* m) {
    constexpr int64_t kFetched = 16 * B, kParts = std::max(1, V * B / 16);  // floats of a tile, tiles for all
    const int64_t group = weight_group(B, p.out);
    const BlockStrides stride{.a = piece.stride * B, .w = group, .w_next = B * B, .out = piece.stride * B};
    const auto tiles = [&]<int Blocks>(int64_t depth, bool add, const float* from, const float* w,
                                       const float* next, float* to) {
        int64_t part = 0;
        const auto ahead = [&] { return Ahead{next + part++ % kParts * kFetched, group}; };
        int64_t i = 0;
        for (; i + P <= piece.count; i += P)
            product_tile<B, P, Blocks>(depth, stride, from + i * B, w, add, to + i * B, ahead());
        for (; i + 4 <= piece.count; i += 4)
            product_tile<B, 4, Blocks>(depth, stride, from + i * B, w, add, to + i * B, ahead());
        for (; i < piece.count; ++i)
            product_tile<B, 1, Blocks>(depth, stride, from + i * B, w, add, to + i * B, ahead());
    };
    for (int64_t block = piece.first_block; block < piece.last_block;) {
        const bool wide = block + V <= piece.last_block;
        const int64_t width = wide ? V : 1;
        for (int64_t c = 0; c < p.in; c += kDepth) {
            const int64_t depth = std::min(kDepth, p.in - c);
            const float *from = v + c * piece.stride, *w = u + c / B * group + block * B * B;
            const float* next = c + depth < p.in                   ? w + depth / B * group
                                : block + width < piece.last_block ? u + (block + width) * B * B
                                                                   : u_next + piece.first_block * B * B;
            float* to = m + (block - piece.first_block) * piece.stride * B;
            wide ? tiles.template operator()<V>(depth, c > 0, from, w, next, to)
                 : tiles.template operator()<1>(depth, c > 0, from, w, next, to);
        }
        block += width;
    }
}

// m (tiles/B, channels, B): P channels by up to three groups of tiles at a time; P divides B.
template <int B, int P>
inline void multiply_across(const Problem& p, const Piece& piece, const float* u, const float* u_next,
                            const float* v, float* m) {
    const int64_t rows = (piece.last_block - piece.first_block) * B, groups = (piece.count + B - 1) / B;
    const BlockStrides stride{.a = B * B, .w = B * B, .w_next = p.in * B, .out = rows * B};
    const int64_t row = weight_group(B, p.in);
    for (int64_t block = piece.first_block; block < piece.last_block; ++block)
        for (int64_t k = 0; k < p.in; k += kDepth) {
            const int64_t depth = std::min(kDepth, p.in - k);
            const float* from = u + block * row + k * B;
            const Ahead next{k + depth < p.in               ? from + depth * B
                             : block + 1 < piece.last_block ? u + (block + 1) * row
                                                            : u_next + piece.first_block * row,
                             B * B};
            float* to = m + (block - piece.first_block) * B * B;
            for (int64_t group = 0; group < groups;) {
                // 4 groups are better cut into 2 + 2 than 3 + 1
                const int64_t width = groups - group == 4 ? 2 : std::min<int64_t>(3, groups - group);
                const float* w = v + (group * p.in + k) * B;
                for (int c = 0; c < B; c += P) {
                    float* sums = to + group * rows * B + c * B;
                    if (width == 3)
                        product_tile<B, P, 3>(depth, stride, from + c * B, w, k > 0, sums, next);
                    else if (width == 2)
                        product_tile<B, P, 2>(depth, stride, from + c * B, w, k > 0, sums, next);
                    else
                        product_tile<B, P, 1>(depth, stride, from + c * B, w, k > 0, sums, next);
                }
                group += width;
            }
        }
}

}  // namespace lily::kernels::winograd
