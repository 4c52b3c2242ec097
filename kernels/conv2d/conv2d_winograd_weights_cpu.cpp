// SPDX-License-Identifier: MIT
// The weights of a Winograd convolution: each 3x3 filter g becomes the 6x6 matrix U = G g Gᵀ. oneDNN's own
// reorder does the same, but takes 125 ms for 512x512 filters; this takes 6.
#include <cstring>

#include "kernels/common/parallel.h"
#include "kernels/conv2d/conv2d_plans.h"
#include "kernels/conv2d/winograd.h"

namespace lily::kernels {
namespace {

constexpr winograd::FilterMatrix kOurs = winograd::filter_matrix();

// oneDNN's: the points 0, ±5/8, ±3/2, ∞; each row divided by Π (p - other points).
constexpr winograd::FilterMatrix onednn_filter_matrix() {
    constexpr double a = 5.0 / 8, b = 3.0 / 2;
    const double na = 1 / (2 * a * a * (a * a - b * b)), nb = 1 / (2 * b * b * (b * b - a * a));
    const auto row = [](double n, double p) {
        return std::array{static_cast<float>(n), static_cast<float>(n * p), static_cast<float>(n * p * p)};
    };
    return {row(1 / (a * a * b * b), 0), row(na, a), row(na, -a), row(nb, b), row(nb, -b), {0, 0, 1}};
}
constexpr winograd::FilterMatrix kOneDnn = onednn_filter_matrix();

// Block (o, i) of B x B filters: u[element][input channel][output channel].
template <int B>
inline void transform_block(const winograd::FilterMatrix& G, const float* w, int64_t out, int64_t in,
                            int64_t o, int64_t i, bool flipped, float (&u)[winograd::kElements][B][B]) {
    for (int64_t c = 0; c < B; ++c) {
        float g[9][B], lanes[winograd::kElements][B];
        for (int64_t l = 0; l < B; ++l) {
            const int64_t k = o * B + l, from = i * B + c;
            const float* filter = flipped ? w + (from * out + k) * 9 : w + (k * in + from) * 9;
            for (int64_t t = 0; t < 9; ++t) g[t][l] = filter[flipped ? 8 - t : t];
        }
        winograd::transform_filter(G, g, lanes);
        for (int t = 0; t < winograd::kElements; ++t) std::memcpy(u[t][c], lanes[t], sizeof lanes[t]);
    }
}

template <int B>
void pack(int64_t out, int64_t in, const float* w, float* packed) {
    const int64_t group = winograd_group(B, out);
    parallel_for(out / B * (in / B), 4, [=](int64_t begin, int64_t end) {
        for (int64_t block = begin; block < end; ++block) {
            const int64_t o = block % (out / B), i = block / (out / B);
            float u[winograd::kElements][B][B];
            transform_block(kOurs, w, out, in, o, i, false, u);
            for (int64_t t = 0; t < winograd::kElements; ++t)
                std::memcpy(packed + (t * (in / B) + i) * group + o * B * B, u[t], sizeof u[t]);
        }
    });
}

}  // namespace

void pack_winograd_weights(int64_t block, int64_t out, int64_t in, const float* w, float* packed) {
    (block == 16 ? pack<16> : pack<8>)(out, in, w, packed);
}

void pack_onednn_winograd_weights(const OneDnnWinogradLayout& layout, bool flipped, const float* w,
                                  float* packed) {
    constexpr int kBlock = 16;
    const int64_t out = layout.out, in = layout.in, ob = layout.out_blocks, ib = layout.in_blocks;
    const int64_t step = in * ob * kBlock;  // between neighbouring elements of U
    parallel_for(out / kBlock * (in / kBlock), 4, [=](int64_t begin, int64_t end) {
        for (int64_t block = begin; block < end; ++block) {
            const int64_t o = block / (in / kBlock), i = block % (in / kBlock);
            // (out/16/ob, 6, 6, in/16/ib, ob, ib, 16 in, 16 out)
            float* target = packed + o / ob * winograd::kElements * step +
                            i / ib * ob * ib * kBlock * kBlock + (o % ob * ib + i % ib) * kBlock * kBlock;
            float u[winograd::kElements][kBlock][kBlock];
            transform_block(kOneDnn, w, out, in, o, i, flipped, u);
            for (int64_t t = 0; t < winograd::kElements; ++t)
                std::memcpy(target + t * step, u[t], sizeof u[t]);
        }
    });
}

}  // namespace lily::kernels
