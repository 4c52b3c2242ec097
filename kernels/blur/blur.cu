// SPDX-License-Identifier: MIT
#include "kernels/blur/blur.h"

#include "kernels/common/index.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

constexpr int kStrip = 8;  // rows of y per thread: a row of x is summed along once for all that it is part of

struct Taps {
    int count;
    float weight[BlurFilter::kMaxTaps];
};

// A thread computes kStrip rows of one column; its neighbours have the neighbouring columns (or lanes).
__global__ void __launch_bounds__(kElementThreads)
    forward_kernel(Planes s, int64_t strips, Taps taps, const float* x, float* y) {
    const int r = (taps.count - 1) / 2;
    for (int64_t at = thread_index(); at < s.planes * strips * s.row(); at += thread_count()) {
        const auto [band, column] = divide(at, s.row());
        const auto [plane, strip] = divide(band, strips);
        const auto [j, lane] = divide(column, s.lanes);
        const int64_t first = strip * kStrip;
        const float* map = x + plane * s.h * s.row() + lane;
        float sum[kStrip] = {};
        for (int p = -r; p < kStrip + r; ++p) {
            if (first + p < 0 || first + p >= s.h) continue;
            const float* row = map + (first + p) * s.row();
            float along = 0;
            for (int b = 0; b < taps.count; ++b) {
                const int64_t q = j + b - r;
                if (q >= 0 && q < s.w) along += taps.weight[b] * row[q * s.lanes];
            }
#pragma unroll
            for (int k = 0; k < kStrip; ++k) {
                const int a = p - k + r;
                if (a >= 0 && a < taps.count) sum[k] += taps.weight[a] * along;
            }
        }
        float* out = y + (plane * s.h + first) * s.row() + column;
#pragma unroll
        for (int k = 0; k < kStrip; ++k)
            if (first + k < s.h) out[k * s.row()] = sum[k];
    }
}

void forward(Queue& queue, const Planes& s, const BlurFilter& filter, const float* x, float* y) {
    Taps taps{filter.taps, {}};
    for (int t = 0; t < filter.taps; ++t) taps.weight[t] = static_cast<float>(filter.tap[t]);
    const int64_t strips = (s.h + kStrip - 1) / kStrip;
    launch("blur", queue, one_thread_each(s.planes * strips * s.row()), forward_kernel, s, strips, taps, x,
           y);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const BlurKernels<float>& blur_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const BlurKernels<float> table{forward};
    return table;
}

}  // namespace lily::kernels
