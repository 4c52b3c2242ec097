// SPDX-License-Identifier: MIT
#include "kernels/total_variation/total_variation.h"

#include "kernels/common/fold.h"
#include "kernels/common/index.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

// Pixel i against its neighbours below and to the right.
struct Differences {
    PictureShape s;
    const float* x;
    __device__ double operator()(int64_t i) const {
        const auto [row, w] = divide(i, s.width);
        const int64_t h = divide(row, s.height).remainder;
        double sum = 0;
        if (w + 1 < s.width) sum += fabsf(x[i + 1] - x[i]);
        if (h + 1 < s.height) sum += fabsf(x[i + s.width] - x[i]);
        return sum;
    }
};

void forward(Queue& queue, PictureShape s, const float* x, float* y) {
    fold_terms("total_variation", queue, s.planes * s.height * s.width, Differences{s, x}, Add{}, 1.0, y);
}

// sign(to - from) without the subtraction, which may overflow
__device__ float direction(float from, float to) {
    return static_cast<float>(to > from) - static_cast<float>(to < from);
}

__global__ void __launch_bounds__(kElementThreads)
    backward_kernel(PictureShape s, const float* x, const float* dy, float* dx) {
    const float slope = *dy;
    for (int64_t i = thread_index(); i < s.planes * s.height * s.width; i += thread_count()) {
        const auto [row, w] = divide(i, s.width);
        const int64_t h = divide(row, s.height).remainder;
        const float here = x[i];
        float sum = 0;
        if (h > 0) sum += direction(x[i - s.width], here);
        if (w > 0) sum += direction(x[i - 1], here);
        if (h + 1 < s.height) sum -= direction(here, x[i + s.width]);
        if (w + 1 < s.width) sum -= direction(here, x[i + 1]);
        dx[i] = slope * sum;
    }
}

void backward(Queue& queue, PictureShape s, const float* x, const float* dy, float* dx) {
    launch("total_variation", queue, one_thread_each(s.planes * s.height * s.width), backward_kernel, s, x,
           dy, dx);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const TotalVariationKernels<float>& total_variation_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const TotalVariationKernels<float> table{forward, backward};
    return table;
}

}  // namespace lily::kernels
