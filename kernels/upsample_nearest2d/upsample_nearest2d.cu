// SPDX-License-Identifier: MIT
#include "kernels/upsample_nearest2d/upsample_nearest2d.h"

#include "kernels/common/index.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

// One thread per x and column of y, which writes all rows: neighbours write neighbours.
__global__ void __launch_bounds__(kElementThreads)
    forward_kernel(Planes s, int64_t fh, int64_t fw, const float* x, float* y) {
    const int64_t wide = fw * s.row();
    for (int64_t at = thread_index(); at < s.planes * s.h * wide; at += thread_count()) {
        const auto [row, column] = divide(at, wide);
        const auto [j, lane] = divide(column, s.lanes);
        const float value = x[row * s.row() + divide(j, fw).quotient * s.lanes + lane];
        for (int64_t r = 0; r < fh; ++r) y[(row * fh + r) * wide + column] = value;
    }
}

// One thread per element of dx, which sums its block of dy.
__global__ void __launch_bounds__(kElementThreads)
    backward_kernel(Planes s, int64_t fh, int64_t fw, const float* dy, float* dx) {
    for (int64_t at = thread_index(); at < s.numel(); at += thread_count()) {
        const auto [position, lane] = divide(at, s.lanes);
        const auto [row, j] = divide(position, s.w);
        float sum = 0;
        for (int64_t r = 0; r < fh; ++r) {
            const float* from = dy + ((row * fh + r) * s.w + j) * fw * s.lanes + lane;
            for (int64_t q = 0; q < fw; ++q) sum += from[q * s.lanes];
        }
        dx[at] = sum;
    }
}

void forward(Queue& queue, const Planes& s, UpsampleFactor f, const float* x, float* y) {
    launch("upsample_nearest2d", queue, one_thread_each(s.numel() * f[1]), forward_kernel, s, f[0], f[1], x,
           y);
}

void backward(Queue& queue, const Planes& s, UpsampleFactor f, const float* dy, float* dx) {
    launch("upsample_nearest2d", queue, one_thread_each(s.numel()), backward_kernel, s, f[0], f[1], dy, dx);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const UpsampleNearest2dKernels<float>& upsample_nearest2d_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const UpsampleNearest2dKernels<float> table{forward, backward};
    return table;
}

}  // namespace lily::kernels
