// SPDX-License-Identifier: MIT
// The weights of a Winograd convolution: each 3x3 filter g becomes the 6x6 matrix u = G g Gᵀ. Included by
// conv2d_winograd_*cpu.cpp only.
#pragma once

#include "kernels/common/vector_tiles.h"
#include "kernels/conv2d/winograd.h"

namespace lily::kernels::winograd {

// The filters from B input channels (block i) to B output channels (block o), of scale · w (out, in, 3, 3), B
// output channels side by side: element e of input channel c goes to u[e·element + c·B].
template <int B>
inline void transform_filters(const float* w, float scale, int64_t in, int64_t o, int64_t i, float* u,
                              int64_t element) {
    constexpr int kTaps = 9;
    alignas(64) float g[B * kTaps][B];  // (input channel and tap, output channel)
    const float* first = w + (o * in + i) * B * kTaps;
    for (int j = 0; j < kTaps; ++j) {
        Vector<B> rows[B];
        for (int k = 0; k < B; ++k) rows[k] = lanes<B>(first + k * in * kTaps + j * B);
        transpose<B>(rows);
        for (int l = 0; l < B; ++l) lanes<B>(g[j * B + l]) = scale * rows[l];
    }
    for (int c = 0; c < B; ++c) {
        Vector<B> t[kPatch][3];  // G g
        for (int s = 0; s < 3; ++s) {
            Vector<B> column[3], transformed[kPatch];
            for (int r = 0; r < 3; ++r) column[r] = lanes<B>(g[c * kTaps + 3 * r + s]);
            transform_filter(column, transformed);
            for (int r = 0; r < kPatch; ++r) t[r][s] = transformed[r];
        }
        for (int r = 0; r < kPatch; ++r) {
            Vector<B> row_of_u[kPatch];
            transform_filter(t[r], row_of_u);
            for (int s = 0; s < kPatch; ++s) lanes<B>(u + (r * kPatch + s) * element + c * B) = row_of_u[s];
        }
    }
}

}  // namespace lily::kernels::winograd
