// SPDX-License-Identifier: MIT
#include "kernels/loss/loss.h"

#include "kernels/common/parallel.h"
#include "kernels/loss/bce.h"

namespace lily::kernels {
namespace {

constexpr int kLanes = 16;

// Σ (x - t)². The differences of f32 are f32; their squares are double, which 1e20² does not overflow.
template <class T>
double sum_of_squares(const T* x, const T* t, int64_t n) {
    double lane[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int k = 0; k < kLanes; ++k) {
            const double d = x[i + k] - t[i + k];
            lane[k] += d * d;
        }
    double total = 0;
    for (int k = 0; k < kLanes; ++k) total += lane[k];
    for (; i < n; ++i) {
        const double d = x[i] - t[i];
        total += d * d;
    }
    return total;
}

template <class T>
void squared_error(Queue& queue, int64_t n, double scale, const T* x, const T* t, T* y) {
    const int64_t pieces = (n + kGrain - 1) / kGrain;
    const auto scratch = queue.scratch<double>(pieces);
    double* partial = scratch.data();
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        partial[begin / kGrain] = sum_of_squares(x + begin, t + begin, end - begin);
    });
    double total = 0;
    for (int64_t i = 0; i < pieces; ++i) total += partial[i];
    *y = static_cast<T>(scale * total);
}

template <class T>
void squared_error_backward(Queue&, int64_t n, double scale, const T* x, const T* t, const T* dy, T* dx,
                            T* dt) {
    const T slope = static_cast<T>(2 * scale * static_cast<double>(*dy));
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        if (dx)
            for (int64_t i = begin; i < end; ++i) dx[i] = slope * (x[i] - t[i]);
        if (dt)
            for (int64_t i = begin; i < end; ++i) dt[i] = slope * (t[i] - x[i]);
    });
}

template <class T>
void bce_with_logits(Queue& queue, int64_t n, double scale, const T* x, Target<T> t, T* y) {
    const int64_t pieces = (n + kGrain - 1) / kGrain;
    const auto scratch = queue.scratch<double>(pieces);
    double* partial = scratch.data();
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        double total = 0;
        for (int64_t i = begin; i < end; ++i) total += bce(x[i], at(t, i));
        partial[begin / kGrain] = total;
    });
    double total = 0;
    for (int64_t i = 0; i < pieces; ++i) total += partial[i];
    *y = static_cast<T>(scale * total);
}

template <class T>
void bce_with_logits_each(Queue&, int64_t n, const T* x, Target<T> t, T* y) {
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) y[i] = bce(x[i], at(t, i));
    });
}

template <class T>
void bce_with_logits_backward(Queue&, int64_t n, double scale, const T* x, Target<T> t, const T* dy,
                              int64_t dy_step, T* dx, T* dt) {
    const T s = static_cast<T>(scale);
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        if (dx)
            for (int64_t i = begin; i < end; ++i) dx[i] = s * dy[i * dy_step] * bce_slope(x[i], at(t, i));
        if (dt)
            for (int64_t i = begin; i < end; ++i) dt[i] = -(s * dy[i * dy_step] * x[i]);
    });
}

}  // namespace

template <class T>
const LossKernels<T>& loss(Device device) {
    static const LossKernels<T> cpu{squared_error<T>, squared_error_backward<T>, bce_with_logits<T>,
                                    bce_with_logits_each<T>, bce_with_logits_backward<T>};
    return choose(
        "loss", device, cpu, [](auto gpu) -> const auto& { return loss_on(gpu); });
}
template const LossKernels<float>& loss(Device);
template const LossKernels<double>& loss(Device);

}  // namespace lily::kernels
