// SPDX-License-Identifier: MIT
#include "kernels/common/parallel.h"
#include "kernels/conv2d/conv2d_plans.h"
#include "kernels/conv2d/winograd_filters.h"
#include "kernels/conv2d/winograd_problem.h"

namespace lily::kernels {
namespace {

template <int B>
void pack(int64_t out, int64_t in, float scale, const float* w, float* packed) {
    const int64_t group = winograd::weight_group(B, out), element = winograd::weight_element(B, out, in);
    parallel_tasks<B>(in / B, true, [=](int64_t i, int64_t) {
        for (int64_t o = 0; o < out / B; ++o)
            winograd::transform_filters<B>(w, scale, in, o, i, packed + i * group + o * B * B, element);
    });
}

}  // namespace

void pack_winograd_weights(int64_t block, int64_t out, int64_t in, float scale, const float* w,
                           float* packed) {
    (block == 16 ? pack<16> : pack<8>)(out, in, scale, w, packed);
}

}  // namespace lily::kernels
