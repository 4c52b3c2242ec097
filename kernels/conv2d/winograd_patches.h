// SPDX-License-Identifier: MIT
// First stage of a Winograd convolution: each 6x6 patch of the input, B channels wide, becomes 36 vectors,
// one of each element of v = Bᵀ d B. Included by conv2d_winograd_*cpu.cpp only.
#pragma once

#include "kernels/common/vector_tiles.h"
#include "kernels/conv2d/winograd_problem.h"

namespace lily::kernels::winograd {

// Where a patch comes from: what `plane` points at is a block of channels of one picture, `at` a position.
// d = x
struct PlainInput {
    const float* x;
    static constexpr bool kPooled = false;

    template <int B>
    void load(int64_t at, Vector<B>& d) const {
        d = lanes<B>(x + at * B);
    }
};
// d = dy · [not y <= 0], and so dy at NaN: the gradient of a convolution that a ReLU followed
struct ReluGradient {
    const float *dy, *y;
    static constexpr bool kPooled = false;

    template <int B>
    void load(int64_t at, Vector<B>& d) const {
        const Vector<B> value = lanes<B>(y + at * B);
        d = value <= 0 ? Vector<B>{} : lanes<B>(dy + at * B);
    }
};
// The same if a 2x2 pooling followed too: dy goes to the one of four positions that `index` names.
struct PooledReluGradient {
    const float *dy, *y;
    const uint8_t* index;
    static constexpr bool kPooled = true;
};

// The input of block `block` of picture n.
template <int B>
inline PlainInput plane_of(const Problem& p, const PlainInput& in, int64_t n, int64_t block) {
    return {in.x + (n * (p.in / B) + block) * p.h * p.w * B};
}
template <int B>
inline ReluGradient plane_of(const Problem& p, const ReluGradient& in, int64_t n, int64_t block) {
    const int64_t offset = (n * (p.in / B) + block) * p.h * p.w * B;
    return {in.dy + offset, in.y + offset};
}
template <int B>
inline PooledReluGradient plane_of(const Problem& p, const PooledReluGradient& in, int64_t n, int64_t block) {
    const int64_t offset = (n * (p.in / B) + block) * (p.h / 2) * (p.w / 2) * B;
    return {in.dy + offset, in.y + offset, in.index + offset};
}

// v = Bᵀ d B; column(s, d) gives column s of the patch.
template <int B, class Column>
inline void transform_columns(const Column& column, float* v, int64_t element) {
    Vector<B> t[kPatch][kPatch];  // Bᵀ d
    for (int s = 0; s < kPatch; ++s) {
        Vector<B> d[kPatch], transformed[kPatch];
        column(s, d);
        transform_input(d, transformed);
        for (int r = 0; r < kPatch; ++r) t[r][s] = transformed[r];
    }
    for (int r = 0; r < kPatch; ++r) {
        Vector<B> row_of_v[kPatch];
        transform_input(t[r], row_of_v);
        for (int s = 0; s < kPatch; ++s) lanes<B>(v + (r * kPatch + s) * element) = row_of_v[s];
    }
}

// The patch at (row, column), of which the part outside of the picture is zero.
template <int B, bool kInside, class Input>
inline void transform_patch(const Problem& p, const Input& in, int64_t row, int64_t column, float* v,
                            int64_t element) {
    transform_columns<B>(
        [&](int s, Vector<B>(&d)[kPatch]) {
            for (int r = 0; r < kPatch; ++r) {
                d[r] = Vector<B>{};
                if (kInside || (row + r >= 0 && row + r < p.h && column + s >= 0 && column + s < p.w))
                    in.template load<B>((row + r) * p.w + column + s, d[r]);
            }
        },
        v, element);
}

// The same where the gradient of a pooling has to be spread first: at most 4x4 pooled values meet a patch.
template <int B, bool kInside>
inline void transform_pooled_patch(const Problem& p, const PooledReluGradient& in, int64_t row,
                                   int64_t column, float* v, int64_t element) {
    constexpr int kMost = kPatch / 2 + 1;
    const int64_t h = p.h / 2, w = p.w / 2, top = row >> 1, left = column >> 1;  // rounded down
    Vector<B> gradient[kMost][kMost];
    Integers<B> place[kMost][kMost];
    for (int i = 0; i < kMost; ++i)
        for (int j = 0; j < kMost; ++j) {
            gradient[i][j] = Vector<B>{};
            place[i][j] = Integers<B>{};
            if (!kInside && (top + i < 0 || top + i >= h || left + j < 0 || left + j >= w)) continue;
            const int64_t at = ((top + i) * w + left + j) * B;
            const Vector<B> value = lanes<B>(in.y + at);
            gradient[i][j] = value <= 0 ? Vector<B>{} : lanes<B>(in.dy + at);
            load_bytes<B>(in.index + at, place[i][j]);
        }
    const int odd_row = static_cast<int>(row & 1), odd_column = static_cast<int>(column & 1);
    transform_columns<B>(
        [&](int s, Vector<B>(&d)[kPatch]) {
            const int x = s + odd_column;
            for (int r = 0; r < kPatch; ++r) {
                const int y = r + odd_row;
                d[r] = place[y / 2][x / 2] == (y % 2 * 2 + x % 2) ? gradient[y / 2][x / 2] : Vector<B>{};
            }
        },
        v, element);
}

// One tile's patch, block `block` of the channels, to v.
template <int B, class Input>
inline void transform_tile_patch(const Problem& p, const Input& input, int64_t block, const Place& at,
                                 float* v, int64_t element) {
    const Input in = plane_of<B>(p, input, at.n, block);
    const int64_t row = at.row - p.pad_h, column = at.column - p.pad_w;
    if constexpr (Input::kPooled) {
        // whole 2x2 windows around the patch
        const bool inside = row >= 0 && column >= 0 && row + kPatch + 1 < p.h && column + kPatch + 1 < p.w;
        inside ? transform_pooled_patch<B, true>(p, in, row, column, v, element)
               : transform_pooled_patch<B, false>(p, in, row, column, v, element);
    } else {
        const bool inside = row >= 0 && column >= 0 && row + kPatch <= p.h && column + kPatch <= p.w;
        inside ? transform_patch<B, true>(p, in, row, column, v, element)
               : transform_patch<B, false>(p, in, row, column, v, element);
    }
}

// Blocks [first, last) of the input's channels; a slice of v = (tiles/G, channels/B, G, B)
template <int B, class Input>
inline void transform_patches(const Problem& p, const Piece& piece, const Slices& slices, const Input& in,
                              int64_t first, int64_t last, float* v) {
    constexpr int G = kTilesAtOnce<B>;
    for (int64_t block = first; block < last; ++block) {
        const int64_t slice = slices.first_of(block * B), depth = slices.size(slice);
        float* to = v + slice * piece.stride + (block * B - slice) * G;
        Place at(p, piece.first);
        for (int64_t i = 0; i < piece.count; ++i, at.advance(p))
            transform_tile_patch<B>(p, in, block, at, to + i / G * depth * G + i % G * B, piece.v_element);
    }
}

// a slice of v = (tiles/B, channels, B), by way of the elements of B tiles side by side.
template <int B, class Input>
inline void transform_patches_across(const Problem& p, const Piece& piece, const Slices& slices,
                                     const Input& in, int64_t first, int64_t last, float* v) {
    alignas(64) float side_by_side[kElements][B][B];
    for (int64_t block = first; block < last; ++block) {
        const int64_t slice = slices.first_of(block * B), depth = slices.size(slice);
        Place at(p, piece.first);
        for (int64_t group = 0; group < piece.count; group += B) {
            const int64_t tiles = std::min<int64_t>(B, piece.count - group);
            for (int64_t i = 0; i < tiles; ++i, at.advance(p))
                transform_tile_patch<B>(p, in, block, at, side_by_side[0][i], B * B);
            float* to = v + slice * piece.stride + group * depth + (block * B - slice) * B;
            for (int e = 0; e < kElements; ++e) {
                Vector<B> rows[B];
                for (int i = 0; i < B; ++i) rows[i] = lanes<B>(side_by_side[e][i < tiles ? i : 0]);
                transpose<B>(rows);
                for (int i = 0; i < B; ++i) lanes<B>(to + e * piece.v_element + i * B) = rows[i];
            }
        }
    }
}

}  // namespace lily::kernels::winograd
