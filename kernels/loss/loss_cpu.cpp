// SPDX-License-Identifier: MIT
#include "kernels/loss/loss.h"

#include "kernels/common/sum_terms.h"
#include "kernels/loss/bce.h"

namespace lily::kernels {
namespace {

// The differences of f32 are f32; their squares are double, which 1e20² does not overflow.
template <class T>
void squared_error(Queue& queue, int64_t n, LossScale scale, const T* x, const T* t, T* y) {
    const auto square = [=](int64_t i) {
        const double d = x[i] - t[i];
        return d * d;
    };
    *y = static_cast<T>(scale.scale * sum_terms(queue, n, square) / scale.count);
}

template <class T>
void squared_error_backward(Queue&, int64_t n, LossScale scale, const T* x, const T* t, const T* dy, T* dx,
                            T* dt) {
    const T slope = static_cast<T>(2 * scale.scale * static_cast<double>(*dy) / scale.count);
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        if (dx)
            for (int64_t i = begin; i < end; ++i) dx[i] = slope * (x[i] - t[i]);
        if (dt)
            for (int64_t i = begin; i < end; ++i) dt[i] = slope * (t[i] - x[i]);
    });
}

template <class T>
void bce_with_logits(Queue& queue, int64_t n, double count, const T* x, Target<T> t, T* y) {
    const auto term = [=](int64_t i) { return static_cast<double>(bce(x[i], at(t, i))); };
    *y = static_cast<T>(sum_terms(queue, n, term) / count);
}

template <class T>
void bce_with_logits_each(Queue&, int64_t n, const T* x, Target<T> t, T* y) {
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) y[i] = bce(x[i], at(t, i));
    });
}

template <class T>
void bce_with_logits_backward(Queue&, int64_t n, double count, const T* x, Target<T> t, const T* dy,
                              int64_t dy_step, T* dx, T* dt) {
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        const T shared = dy[0] / static_cast<T>(count);
        const auto slope = [=](int64_t i) { return dy_step == 0 ? shared : dy[i]; };
        if (dx)
            for (int64_t i = begin; i < end; ++i) dx[i] = slope(i) * bce_slope(x[i], at(t, i));
        if (dt)
            for (int64_t i = begin; i < end; ++i) dt[i] = -(slope(i) * x[i]);
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
