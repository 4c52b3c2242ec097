// SPDX-License-Identifier: MIT
// Third stage of a Winograd convolution: the 36 vectors of m become 4x4 outputs, y = Aᵀ m A, and what follows
// the convolution is done to them on the way. A tile that is not finite is marked instead, for repair()
// (winograd_direct.h). Included by conv2d_winograd_*cpu.cpp only.
#pragma once

#include <cstring>

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

// z = Aᵀ m A. check: 0, and NaN in the lanes in which one of the 16 is not finite.
template <int B>
inline void inverse_transform(const Elements<B>& m, Vector<B> (&z)[kTile][kTile], Vector<B>& check) {
    Vector<B> t[kTile][kPatch];  // Aᵀ m
    for (int s = 0; s < kPatch; ++s) {
        Vector<B> column[kPatch], transformed[kTile];
        for (int r = 0; r < kPatch; ++r) column[r] = m[r * kPatch + s];
        transform_output(column, transformed);
        for (int r = 0; r < kTile; ++r) t[r][s] = transformed[r];
    }
    check = Vector<B>{};
    for (int r = 0; r < kTile; ++r) {
        transform_output(t[r], z[r]);
        for (int s = 0; s < kTile; ++s) check += z[r][s] * 0.0f;
    }
}

// Is one lane of a check NaN? The others are 0, or -0.
template <int B>
inline bool has_nan(const Vector<B>& check) {
    uint64_t pairs[B / 2], bits = 0;
    std::memcpy(pairs, &check, sizeof check);
    for (const uint64_t pair : pairs) bits |= pair;
    return (bits & 0x7fffffff7fffffff) != 0;
}

// Where a map is flat the four of a window are equal, and the first is the largest. Here rounding tells them
// apart, so what comes this close counts as equal, as a share of Σ|m|, whose terms were rounded: else it
// would send the gradient of a flat area somewhere. (A photograph of which a tenth is black: the picture's
// gradient is 3.7 % off without, 0.26 % with it, 0.06 % with the direct form. Twice as much takes unequal
// ones for equal.)
constexpr float kTie = 0x1p-22f;

template <int B>
inline void closeness(const PlainOutput&, const Elements<B>&, Vector<B>&, float (&)[B]) {}
template <int B>
inline void closeness(const PooledReluOutput&, const Elements<B>& m, Vector<B>& check, float (&close)[B]) {
    Vector<B> sum{};  // Σ|m|
    for (int e = 0; e < kElements; ++e) sum += m[e] < 0 ? -m[e] : m[e];
    lanes<B>(close) = kTie * sum;
    check += sum * 0.0f;
}

// Writes z + bias, and what follows it. close: of a pooling, which differences count as equal.
template <int B>
inline void write_tile(const Problem& p, const PlainOutput& out, const Vector<B> (&z)[kTile][kTile],
                       const float (&)[B], int64_t block, const Place& at) {
    Vector<B> bias;
    bias_of<B>(out.bias, block, bias);
    float* y = out.y + (((at.n * (p.out / B) + block) * p.out_h + at.row) * p.out_w + at.column) * B;
    const bool whole = at.row + kTile <= p.out_h && at.column + kTile <= p.out_w;
    for (int r = 0; r < kTile; ++r)
        for (int s = 0; s < kTile; ++s) {
            Vector<B> value = z[r][s] + bias;
            if (out.relu) value = value < 0 ? Vector<B>{} : value;
            if (!whole && (at.row + r >= p.out_h || at.column + s >= p.out_w)) continue;
            float* to = y + (r * p.out_w + s) * B;
            if (out.add) value += lanes<B>(to);
            lanes<B>(to) = value;
        }
}
template <int B>
inline void write_tile(const Problem& p, const PooledReluOutput& out, const Vector<B> (&z)[kTile][kTile],
                       const float (&close)[B], int64_t block, const Place& at) {
    Vector<B> bias;
    bias_of<B>(out.bias, block, bias);
    const int64_t h = p.out_h / 2, w = p.out_w / 2;
    for (int i = 0; i < kTile / 2; ++i)
        for (int j = 0; j < kTile / 2; ++j) {
            const int64_t row = at.row / 2 + i, column = at.column / 2 + j;
            if (row >= h || column >= w) continue;
            const int64_t to = (((at.n * (p.out / B) + block) * h + row) * w + column) * B;
            float window[4][B];
            for (int tap = 0; tap < 4; ++tap)
                lanes<B>(window[tap]) = z[2 * i + tap / 2][2 * j + tap % 2] + bias;
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
                for (int tap = 2; tap >= 0; --tap) where[l] = window[tap][l] >= enough ? tap : where[l];
                for (int tap = 0; tap < 4; ++tap)  // of several NaNs the last, as in max_pool2d
                    where[l] = window[tap][l] != window[tap][l] ? tap : where[l];
                out.y[to + l] = best < 0 ? 0 : best;
            }
            if (out.index)
                for (int l = 0; l < B; ++l) out.index[to + l] = static_cast<uint8_t>(where[l]);
        }
}

// One tile's m becomes outputs, or a mark in `broken`.
template <int B, class Output>
inline void transform_tile(const Problem& p, const Elements<B>& m, const Output& out, int64_t block,
                           const Place& at, uint8_t& broken) {
    Vector<B> z[kTile][kTile], check;
    float close[B];
    inverse_transform<B>(m, z, check);
    closeness<B>(out, m, check, close);
    broken = has_nan<B>(check);
    if (!broken) write_tile<B>(p, out, z, close, block, at);
}

// of m (blocks, tiles, B); broken (all blocks, all tiles)
template <int B, class Output>
inline void transform_tiles(const Problem& p, const Piece& piece, const float* m, const Output& out,
                            uint8_t* broken) {
    const int64_t tiles = p.tiles();
    for (int64_t block = piece.first_block; block < piece.last_block; ++block) {
        Place at(p, piece.first);
        for (int64_t i = 0; i < piece.count; ++i, at.advance(p)) {
            const Elements<B> elements{m + ((block - piece.first_block) * piece.stride + i) * B,
                                       piece.m_element};
            transform_tile<B>(p, elements, out, block, at, broken[block * tiles + piece.first + i]);
        }
    }
}

// of m (tiles/B, channels, B), by way of the elements of B tiles side by side.
template <int B, class Output>
inline void transform_tiles_across(const Problem& p, const Piece& piece, const float* m, const Output& out,
                                   uint8_t* broken) {
    alignas(64) float side_by_side[kElements][B][B];
    const int64_t rows = (piece.last_block - piece.first_block) * B, all = p.tiles();
    for (int64_t block = piece.first_block; block < piece.last_block; ++block) {
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
            for (int64_t i = 0; i < tiles; ++i, at.advance(p))
                transform_tile<B>(p, {side_by_side[0][i], B * B}, out, block, at,
                                  broken[block * all + piece.first + group + i]);
        }
    }
}

}  // namespace lily::kernels::winograd
