// SPDX-License-Identifier: MIT
// The weights of a Winograd convolution: each 3x3 filter g becomes the 6x6 matrix U = G g Gᵀ.
#include <cstring>

#include "kernels/common/parallel.h"
#include "kernels/conv2d/conv2d_plans.h"
#include "kernels/conv2d/winograd_problem.h"

namespace lily::kernels {
namespace {

constexpr winograd::FilterMatrix kG = winograd::filter_matrix();

// Block (o, i) of B x B filters: u[element][input channel][output channel].
template <int B>
inline void transform_block(const float* w, int64_t in, int64_t o, int64_t i,
                            float (&u)[winograd::kElements][B][B]) {
    for (int64_t c = 0; c < B; ++c) {
        float g[9][B], lanes[winograd::kElements][B];
        for (int64_t l = 0; l < B; ++l) {
            const float* filter = w + ((o * B + l) * in + i * B + c) * 9;
            for (int64_t t = 0; t < 9; ++t) g[t][l] = filter[t];
        }
        winograd::transform_filter(kG, g, lanes);
        for (int t = 0; t < winograd::kElements; ++t) std::memcpy(u[t][c], lanes[t], sizeof lanes[t]);
    }
}

template <int B>
void pack(int64_t out, int64_t in, const float* w, float* packed) {
    const int64_t group = winograd::weight_group(B, out), element = winograd::weight_element(B, out, in);
    parallel_for(out / B * (in / B), 4, [=](int64_t begin, int64_t end) {
        for (int64_t block = begin; block < end; ++block) {
            const int64_t o = block % (out / B), i = block / (out / B);
            float u[winograd::kElements][B][B];
            transform_block(w, in, o, i, u);
            for (int64_t t = 0; t < winograd::kElements; ++t)
                std::memcpy(packed + t * element + i * group + o * B * B, u[t], sizeof u[t]);
        }
    });
}

}  // namespace

void pack_winograd_weights(int64_t block, int64_t out, int64_t in, const float* w, float* packed) {
    (block == 16 ? pack<16> : pack<8>)(out, in, w, packed);
}

}  // namespace lily::kernels
