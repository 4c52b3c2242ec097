// SPDX-License-Identifier: MIT
#include "framework/ops/softmax.h"

#include <algorithm>

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/pointwise.h"
#include "framework/ops/reduce.h"
#include "kernels/softmax/softmax.h"

namespace lily {
namespace {

kernels::SoftmaxShape rows(const Shape& shape, int64_t dim) {
    kernels::SoftmaxShape s{1, 1, 1};
    for (int64_t d = 0; d < shape.rank(); ++d) (d < dim ? s.outer : d == dim ? s.n : s.inner) *= shape[d];
    return s;
}

template <class Kernel>
Tensor forward(const char* op, const Tensor& x, int64_t dim, const Kernel& kernel) {
    const NoGrad no_grad;
    const Tensor source = x.contiguous();
    Tensor y = empty_like(source);
    visit_floating(op, x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernel(kernels::softmax<T>(x.device()), rows(x.shape(), dim), source.data<T>(), y.mutable_data<T>());
    });
    return y;
}

template <class Kernel>
Tensor fused_backward(const char* op, const Tensor& y, const Tensor& dy, int64_t dim, const Kernel& kernel) {
    Tensor dx = empty_like(y);
    visit_floating(op, y.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernel(kernels::softmax<T>(y.device()), rows(y.shape(), dim), y.data<T>(), dy.data<T>(),
               dx.mutable_data<T>());
    });
    return dx;
}

// A scalar is a row of one element, as in PyTorch.
int64_t wrapped(const char* op, int64_t dim, const Tensor& x) {
    return wrap_dim(op, dim, std::max<int64_t>(1, x.rank()));
}

Tensor sum_over(const Tensor& x, int64_t dim) { return x.rank() == 0 ? x : sum(x, {dim}, true); }

}  // namespace

Tensor softmax(const Tensor& x, int64_t wanted) {
    const int64_t dim = wrapped("softmax", wanted, x);
    const Tensor result = forward("softmax", x, dim, [&](const auto& k, auto s, const auto* from, auto* to) {
        k.softmax(x.queue(), s, from, to);
    });
    const auto backward = [dim](const Backward& g) {
        const Tensor y = g.output(), dy = g.dy.contiguous();
        if (grad_enabled()) return Gradients{y * (dy - sum_over(y * dy, dim))};
        return Gradients{fused_backward("softmax", y, dy, dim, [&](const auto& k, auto s, auto... pointers) {
            k.softmax_backward(y.queue(), s, pointers...);
        })};
    };
    return record("softmax", result, {x}, backward, KeepOutput::yes);
}

Tensor log_softmax(const Tensor& x, int64_t wanted) {
    const int64_t dim = wrapped("log_softmax", wanted, x);
    const Tensor result = forward(
        "log_softmax", x, dim,
        [&](const auto& k, auto s, const auto* from, auto* to) { k.log_softmax(x.queue(), s, from, to); });
    const auto backward = [dim](const Backward& g) {
        const Tensor y = g.output(), dy = g.dy.contiguous();
        if (grad_enabled()) return Gradients{dy - exp(y) * sum_over(dy, dim)};
        return Gradients{
            fused_backward("log_softmax", y, dy, dim, [&](const auto& k, auto s, auto... pointers) {
                k.log_softmax_backward(y.queue(), s, pointers...);
            })};
    };
    return record("log_softmax", result, {x}, backward, KeepOutput::yes);
}

}  // namespace lily
