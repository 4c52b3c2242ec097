// SPDX-License-Identifier: MIT
// Tiles of a Winograd convolution that came out not finite, computed again as the definition says. The
// transforms mix the 36 values of a patch: one NaN or infinity reaches outputs that no tap connects with it,
// and a value near the largest float overflows in them where the convolution does not. Included by
// conv2d_winograd_*cpu.cpp only.
#pragma once

#include <cstring>

#include "kernels/common/parallel.h"
#include "kernels/conv2d/winograd_patches.h"
#include "kernels/conv2d/winograd_tiles.h"

namespace lily::kernels::winograd {

// d at a position inside of the picture; `in` is a plane_of().
template <int B, class Input>
inline void load_input(const Problem& p, const Input& in, int64_t row, int64_t column, Vector<B>& d) {
    if constexpr (Input::kPooled) {
        d = Vector<B>{};
        if (row / 2 >= p.h / 2 || column / 2 >= p.w / 2) return;  // an odd last one is in no window
        const int64_t at = (row / 2 * (p.w / 2) + column / 2) * B;
        Integers<B> place;
        load_bytes<B>(in.index + at, place);
        const Vector<B> value = lanes<B>(in.y + at), gradient = value <= 0 ? d : lanes<B>(in.dy + at);
        d = place == static_cast<int32_t>(row % 2 * 2 + column % 2) ? gradient : Vector<B>{};
    } else {
        in.template load<B>(row * p.w + column, d);
    }
}

// z[i][j] = Σ_c,r,s  weight_scale · w[block, c, r, s] · d[c, i + r, j + s]: B output channels of one tile,
// without bias. Taps outside of the picture count for nothing, not 0 · w. w: the filters (out, in, 3, 3) of
// the forward pass; backward they are turned, and exchange in and out.
template <bool kBackward, int B, class Input>
inline void convolve_tile(const Problem& p, const Input& input, const float* w, int64_t block,
                          const Place& at, Vector<B> (&z)[kTile][kTile]) {
    constexpr int kTaps = 9;
    alignas(64) float patch[kElements][B], filter[kTaps][B];
    bool inside[kElements];
    for (auto& row : z)
        for (Vector<B>& sum : row) sum = Vector<B>{};
    for (int64_t from = 0; from < p.in / B; ++from) {
        const Input in = plane_of<B>(p, input, at.n, from);
        for (int e = 0; e < kElements; ++e) {
            const int64_t row = at.row - p.pad_h + e / kPatch, column = at.column - p.pad_w + e % kPatch;
            inside[e] = row >= 0 && row < p.h && column >= 0 && column < p.w;
            if (!inside[e]) continue;
            Vector<B> d;
            load_input<B>(p, in, row, column, d);
            lanes<B>(patch[e]) = d;
        }
        for (int c = 0; c < B; ++c) {
            for (int l = 0; l < B; ++l) {
                const int64_t in_channel = from * B + c, out_channel = block * B + l;
                const float* taps =
                    w +
                    (kBackward ? in_channel * p.out + out_channel : out_channel * p.in + in_channel) * kTaps;
                for (int tap = 0; tap < kTaps; ++tap)
                    filter[tap][l] = p.weight_scale * taps[kBackward ? kTaps - 1 - tap : tap];
            }
            for (int tap = 0; tap < kTaps; ++tap)
                for (int i = 0; i < kTile; ++i)
                    for (int j = 0; j < kTile; ++j) {
                        const int e = (i + tap / 3) * kPatch + j + tap % 3;
                        if (inside[e]) z[i][j] += patch[e][c] * lanes<B>(filter[tap]);
                    }
        }
    }
}

// Computes the tiles again that are marked in broken (out/B, tiles).
template <bool kBackward, int B, class Input, class Output>
void repair(const Problem& p, const Input& in, const float* w, const Output& out, const uint8_t* broken) {
    const int64_t tiles = p.tiles(), count = p.out / B * tiles;
    if (!std::memchr(broken, 1, static_cast<size_t>(count))) return;
    parallel_tasks<B>(count, true, [&](int64_t task, int64_t) {
        if (!broken[task]) return;
        const int64_t block = task / tiles;
        const Place at(p, task % tiles);
        Vector<B> z[kTile][kTile];
        convolve_tile<kBackward, B>(p, in, w, block, at, z);
        const float exact[B] = {};
        write_tile<B>(p, out, z, exact, block, at);
    });
}

}  // namespace lily::kernels::winograd
