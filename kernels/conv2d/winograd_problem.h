// SPDX-License-Identifier: MIT
// What a Winograd convolution is asked for, and how it is cut; shared by the three stages in
// winograd_patches.h, winograd_products.h and winograd_tiles.h. Included by conv2d_winograd_*cpu.cpp only.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/common/vector_tiles.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/conv2d/winograd.h"

namespace lily::kernels::winograd {

// The convolution that a plan comes down to; for backward data x is dy and y is dx.
struct Problem {
    int64_t n, in, h, w, out, out_h, out_w, pad_h, pad_w;
    float weight_scale;

    int64_t tiles_h() const { return (out_h + kTile - 1) / kTile; }
    int64_t tiles_w() const { return (out_w + kTile - 1) / kTile; }
    int64_t tiles() const { return n * tiles_h() * tiles_w(); }
};

// What one task computes: tiles [first, first + count) of blocks [first_block, last_block) of the output.
struct Piece {
    int64_t first, count, stride;  // stride: tiles that v and m have room for
    int64_t v_element, m_element;  // floats between elements
    int64_t first_block, last_block;
};

// v, the transformed patches, is cut into Slices of input channels. One is (tiles/G, channels/B, G, B) for
// products whose vectors are output channels, (tiles/B, channels, B) for those whose vectors are tiles.

// Sums in registers, 24 of 32 with AVX-512, 12 of 16 with AVX2: of kTilesAtOnce tiles by kBlocksAtOnce blocks
// of channels forward, of kChannelsAtOnce channels by up to three groups of tiles across.
template <int B>
inline constexpr int kTilesAtOnce = B == 16 ? 12 : 6;
template <int B>
inline constexpr int kChannelsAtOnce = B == 16 ? 8 : 4;
inline constexpr int kBlocksAtOnce = 2;

// Where a tile lies: which picture, and its first output. Walks the tiles in order.
struct Place {
    int64_t n, row, column;

    Place(const Problem& p, int64_t tile)
        : n(tile / p.tiles_w() / p.tiles_h()),
          row(tile / p.tiles_w() % p.tiles_h() * kTile),
          column(tile % p.tiles_w() * kTile) {}
    void advance(const Problem& p) {
        if ((column += kTile) < p.out_w) return;
        column = 0;
        if ((row += kTile) < p.out_h) return;
        row = 0;
        ++n;
    }
};

// Elements of v and m lie a row of cache lines apart that is odd in number: 36 streams at distances of a
// power of two would all fall into the same few sets of the cache.
inline int64_t padded(int64_t floats) { return (floats + 15) / 16 * 16 + (floats / 16 % 2 == 0 ? 16 : 32); }

// The weights of one element, (in/block, out/block, block in, block out). The blocks of `in` lie apart by
// what a product reads of each, two blocks of `out`, lest they all fall into the same few sets of the cache.
inline int64_t weight_group(int64_t block, int64_t out) { return (out + kBlocksAtOnce * block) * block; }
inline int64_t weight_element(int64_t block, int64_t out, int64_t in) {
    return in / block * weight_group(block, out);
}

}  // namespace lily::kernels::winograd
