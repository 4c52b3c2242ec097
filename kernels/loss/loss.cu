// SPDX-License-Identifier: MIT
#include "kernels/loss/loss.h"

#include "kernels/common/fold.h"
#include "kernels/common/index.h"
#include "kernels/common/packs.h"
#include "kernels/loss/bce.h"

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

void squared_error(Queue& queue, int64_t n, LossScale scale, const float* x, const float* t, float* y) {
    fold_terms("loss", queue, n, SquaredDifference{x, t}, Add{}, scale.scale, y, scale.count);
}

// dx = 2 scale dy / count (x - t); dt is the same with x and t exchanged
struct Slope {
    double twice_scale, count;
    const float* dy;
    __device__ float operator()(float x, float t) const {
        return static_cast<float>(twice_scale * static_cast<double>(*dy) / count) * (x - t);
    }
};

void squared_error_backward(Queue& queue, int64_t n, LossScale scale, const float* x, const float* t,
                            const float* dy, float* dx, float* dt) {
    const Slope slope{2 * scale.scale, scale.count, dy};
    if (dx) map("loss", queue, n, slope, dx, x, t);
    if (dt) map("loss", queue, n, slope, dt, t, x);
}

struct Bce {
    const float* x;
    Target<float> t;
    __device__ double operator()(int64_t i) const { return bce(x[i], at(t, i)); }
};

void bce_with_logits(Queue& queue, int64_t n, double count, const float* x, Target<float> t, float* y) {
    fold_terms("loss", queue, n, Bce{x, t}, Add{}, 1.0, y, count);
}

__global__ void __launch_bounds__(kElementThreads)
    bce_each_kernel(int64_t n, const float* x, Target<float> t, float* y) {
    for (int64_t i = thread_index(); i < n; i += thread_count()) y[i] = bce(x[i], at(t, i));
}

void bce_with_logits_each(Queue& queue, int64_t n, const float* x, Target<float> t, float* y) {
    launch("loss", queue, one_thread_each(n), bce_each_kernel, n, x, t, y);
}

__global__ void __launch_bounds__(kElementThreads)
    bce_backward_kernel(int64_t n, float count, const float* x, Target<float> t, const float* dy,
                        int64_t dy_step, float* dx, float* dt) {
    for (int64_t i = thread_index(); i < n; i += thread_count()) {
        const float slope = dy[i * dy_step] / count;
        if (dx) dx[i] = slope * bce_slope(x[i], at(t, i));
        if (dt) dt[i] = -(slope * x[i]);
    }
}

void bce_with_logits_backward(Queue& queue, int64_t n, double count, const float* x, Target<float> t,
                              const float* dy, int64_t dy_step, float* dx, float* dt) {
    launch("loss", queue, one_thread_each(n), bce_backward_kernel, n, static_cast<float>(count), x, t, dy,
           dy_step, dx, dt);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const LossKernels<float>& loss_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const LossKernels<float> table{squared_error, squared_error_backward, bce_with_logits,
                                          bce_with_logits_each, bce_with_logits_backward};
    return table;
}

}  // namespace lily::kernels
