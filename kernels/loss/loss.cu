// SPDX-License-Identifier: MIT
#include "kernels/loss/loss.h"

#include "kernels/common/fold.h"
#include "kernels/common/packs.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

// The difference of f32 is f32, its square double, which 1e20² does not overflow.
struct SquaredDifference {
    const float *x, *t;
    __device__ double operator()(int64_t i) const {
        const double d = x[i] - t[i];
        return d * d;
    }
};

void squared_error(Queue& queue, int64_t n, double scale, const float* x, const float* t, float* y) {
    fold_terms("loss", queue, n, SquaredDifference{x, t}, Add{}, scale, y);
}

// dx = 2 scale dy (x - t); dt is the same with x and t exchanged
struct Slope {
    double twice_scale;
    const float* dy;
    __device__ float operator()(float x, float t) const {
        return static_cast<float>(twice_scale * static_cast<double>(*dy)) * (x - t);
    }
};

void squared_error_backward(Queue& queue, int64_t n, double scale, const float* x, const float* t,
                            const float* dy, float* dx, float* dt) {
    const Slope slope{2 * scale, dy};
    if (dx) map("loss", queue, n, slope, dx, x, t);
    if (dt) map("loss", queue, n, slope, dt, t, x);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const LossKernels<float>& loss_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const LossKernels<float> table{squared_error, squared_error_backward};
    return table;
}

}  // namespace lily::kernels
