// SPDX-License-Identifier: MIT
#include "kernels/resample/resample.h"

#include "kernels/common/index.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

// y[o,j,i] = Σ_t w[t] x[o, index[t], i]: one thread per output; neighbours share their taps or read
// neighbours.
__global__ void __launch_bounds__(kElementThreads)
    apply_kernel(ResampleShape s, const int64_t* start, const int64_t* index, const float* weight,
                 const float* x, float* y) {
    for (int64_t at = thread_index(); at < s.outer * s.m * s.inner; at += thread_count()) {
        const auto [row, i] = divide(at, s.inner);
        const auto [o, j] = divide(row, s.m);
        const float* in = x + o * s.n * s.inner + i;
        float sum = 0;
        for (int64_t t = start[j]; t < start[j + 1]; ++t) sum += weight[t] * in[index[t] * s.inner];
        y[at] = sum;
    }
}

void apply(Queue& queue, ResampleShape s, const int64_t* start, const int64_t* index, const float* weight,
           const float* x, float* y) {
    launch("resample", queue, one_thread_each(s.outer * s.m * s.inner), apply_kernel, s, start, index, weight,
           x, y);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const ResampleKernels<float>& resample_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const ResampleKernels<float> table{apply};
    return table;
}

}  // namespace lily::kernels
