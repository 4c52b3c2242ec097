// SPDX-License-Identifier: MIT
// Third stage of a Winograd convolution: the 36 vectors of m become 4x4 outputs, y = Aᵀ m A, and what follows
// the convolution is done to them on the way. Included by conv2d_winograd_*cpu.cpp only.
#pragma once

#include "kernels/common/vector_tiles.h"
#include "kernels/conv2d/winograd_problem.h"

namespace lily::kernels::winograd {

// Where the outputs go. NaN stays NaN in each of these.
// y = m + bias, or its ReLU; or y += that
struct PlainOutput {
    const float* bias;  // or null
    float* y;
    bool relu, add;
};
// y = max(0, the largest of each 2x2 window of m + bias), (N,K,H/2,W/2); index: which of the four it was
struct PooledReluOutput {
    const float* bias;
    float* y;
    uint8_t* index;  // or null
};

template <int B>
inline void bias_of(const float* bias, int64_t block, Vector<B>& shift) {
    shift = Vector<B>{};
    if (bias) shift = lanes<B>(bias + block * B);
}

// The 36 vectors of a tile, `step` floats apart.
template <int B>
struct Elements {
    const float* m;
    int64_t step;
    const Vector<B>& operator[](int e) const { return lanes<B>(m + e * step); }
};

// z = Aᵀ m A + bias
template <int B>
inline void inverse_transform(const Elements<B>& m, const Vector<B>& bias, Vector<B> (&z)[kTile][kTile]) {
    Vector<B> t[kTile][kPatch];  // Aᵀ m
    for (int s = 0; s < kPatch; ++s) {
        Vector<B> column[kPatch], transformed[kTile];
        for (int r = 0; r < kPatch; ++r) column[r] = m[r * kPatch + s];
        transform_output(column, transformed);
        for (int r = 0; r < kTile; ++r) t[r][s] = transformed[r];
    }
    for (int r = 0; r < kTile; ++r) {
        transform_output(t[r], z[r]);
        for (int s = 0; s < kTile; ++s) z[r][s] += bias;
    }
}

template <int B>
inline void write_tile(const Problem& p, const PlainOutput& out, Vector<B> (&z)[kTile][kTile],
                       const Elements<B>&, int64_t block, const Place& at) {
    float* y = out.y + (((at.n * (p.out / B) + block) * p.out_h + at.row) * p.out_w + at.column) * B;
    const bool whole = at.row + kTile <= p.out_h && at.column + kTile <= p.out_w;
    for (int r = 0; r < kTile; ++r)
        for (int s = 0; s < kTile; ++s) {
            Vector<B> value = z[r][s];
            if (out.relu) value = value < 0 ? Vector<B>{} : value;
            if (!whole && (at.row + r >= p.out_h || at.column + s >= p.out_w)) continue;
            float* to = y + (r * p.out_w + s) * B;
            if (out.add) value += lanes<B>(to);
            lanes<B>(to) = value;
        }
}

// Where a map is flat the four of a window are equal, and the first is the largest. Here rounding tells them
// apart, so what comes this close counts as equal, as a share of Σ|m|, whose terms were rounded: else it
// would send the gradient of a flat area somewhere. (A photograph of which a tenth is black: the picture's
// gradient is 3.7 % off without, 0.26 % with it, 0.06 % with the direct form. Twice as much takes unequal
// ones for equal.)
constexpr float kTie = 0x1p-22f;

template <int B>
inline void write_tile(const Problem& p, const PooledReluOutput& out, Vector<B> (&z)[kTile][kTile],
                       const Elements<B>& m, int64_t block, const Place& at) {
    Vector<B> sum{};  // Σ|m|
    for (int e = 0; e < kElements; ++e) sum += m[e] < 0 ? -m[e] : m[e];
    float close[B];
    lanes<B>(close) = kTie * sum;
    const int64_t h = p.out_h / 2, w = p.out_w / 2;
    for (int i = 0; i < kTile / 2; ++i)
        for (int j = 0; j < kTile / 2; ++j) {
            const int64_t row = at.row / 2 + i, column = at.column / 2 + j;
            if (row >= h || column >= w) continue;
            const int64_t to = (((at.n * (p.out / B) + block) * h + row) * w + column) * B;
            float window[4][B];
            for (int tap = 0; tap < 4; ++tap) lanes<B>(window[tap]) = z[2 * i + tap / 2][2 * j + tap % 2];
            int32_t where[B];
            // Lane by lane: g++ 12 makes vector code of this, but not of comparisons of whole vectors.
            for (int l = 0; l < B; ++l) {
                float best = window[0][l];
                for (int tap = 1; tap < 4; ++tap) {
                    const bool wins = (window[tap][l] > best) | (window[tap][l] != window[tap][l]);
                    best = wins ? window[tap][l] : best;
                }
                const float enough = best - close[l];
                where[l] = 3;
                for (int tap = 2; tap >= 0; --tap) {
                    const bool first = (window[tap][l] >= enough) | (window[tap][l] != window[tap][l]);
                    where[l] = first ? tap : where[l];
                }
                out.y[to + l] = best < 0 ? 0 : best;
            }
            if (out.index)
                for (int l = 0; l < B; ++l) out.index[to + l] = static_cast<uint8_t>(where[l]);
        }
}

// of m (blocks, tiles, B)
template <int B, class Output>
inline void transform_tiles(const Problem& p, const Piece& piece, const float* m, const Output& out) {
    for (int64_t block = piece.first_block; block < piece.last_block; ++block) {
        Vector<B> bias;
        bias_of<B>(out.bias, block, bias);
        Place at(p, piece.first);
        for (int64_t i = 0; i < piece.count; ++i, at.advance(p)) {
            Vector<B> z[kTile][kTile];
            const Elements<B> elements{m + ((block - piece.first_block) * piece.stride + i) * B,
                                       piece.m_element};
            inverse_transform<B>(elements, bias, z);
            write_tile<B>(p, out, z, elements, block, at);
        }
    }
}

// of m (tiles/B, channels, B), by way of the elements of B tiles side by side.
template <int B, class Output>
inline void transform_tiles_across(const Problem& p, const Piece& piece, const float* m, const Output& out) {
    alignas(64) float side_by_side[kElements][B][B];
    const int64_t rows = (piece.last_block - piece.first_block) * B;
    for (int64_t block = piece.first_block; block < piece.last_block; ++block) {
        Vector<B> bias;
        bias_of<B>(out.bias, block, bias);
        Place at(p, piece.first);
        for (int64_t group = 0; group < piece.count; group += B) {
            for (int e = 0; e < kElements; ++e) {
                const float* from =
                    m + e * piece.m_element + (group / B * rows + (block - piece.first_block) * B) * B;
                Vector<B> vectors[B];
                for (int i = 0; i < B; ++i) vectors[i] = lanes<B>(from + i * B);
                transpose<B>(vectors);
                for (int i = 0; i < B; ++i) lanes<B>(side_by_side[e][i]) = vectors[i];
            }
            const int64_t tiles = std::min<int64_t>(B, piece.count - group);
            for (int64_t i = 0; i < tiles; ++i, at.advance(p)) {
                Vector<B> z[kTile][kTile];
                const Elements<B> elements{side_by_side[0][i], B * B};
                inverse_transform<B>(elements, bias, z);
                write_tile<B>(p, out, z, elements, block, at);
            }
        }
    }
}

}  // namespace lily::kernels::winograd
