// SPDX-License-Identifier: MIT
#include "kernels/resample/resample.h"

#include "kernels/common/index.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

constexpr int kRows = 8;  // of the outer axis per thread, which share the taps it has read

// y[o,j,i] = Σ_t w[t] x[o, index[t], i]: a thread computes one (j,i) for kRows rows o, each in the order of
// t.
__global__ void __launch_bounds__(kElementThreads)
    apply_kernel(ResampleShape s, int64_t groups, const int64_t* start, const int64_t* index,
                 const float* weight, const float* x, float* y) {
    for (int64_t at = thread_index(); at < groups * s.m * s.inner; at += thread_count()) {
        const auto [group_and_j, i] = divide(at, s.inner);
        const auto [group, j] = divide(group_and_j, s.m);
        const int64_t o = group * kRows, left = s.outer - o;
        const int rows = left < kRows ? static_cast<int>(left) : kRows;
        const float* in = x + o * s.n * s.inner + i;
        float sum[kRows] = {};
        const int64_t end = start[j + 1];
        for (int64_t t = start[j]; t < end; ++t) {
            const float w = weight[t];
            const float* tap = in + index[t] * s.inner;
#pragma unroll
            for (int row = 0; row < kRows; ++row, tap += s.n * s.inner)
                if (row < rows) sum[row] += w * *tap;
        }
        float* out = y + (o * s.m + j) * s.inner + i;
#pragma unroll
        for (int row = 0; row < kRows; ++row, out += s.m * s.inner)
            if (row < rows) *out = sum[row];
    }
}

void apply(Queue& queue, ResampleShape s, const int64_t* start, const int64_t* index, const float* weight,
           const float* x, float* y) {
    const int64_t groups = (s.outer + kRows - 1) / kRows;
    launch("resample", queue, one_thread_each(groups * s.m * s.inner), apply_kernel, s, groups, start, index,
           weight, x, y);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const ResampleKernels<float>& resample_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const ResampleKernels<float> table{apply};
    return table;
}

}  // namespace lily::kernels
