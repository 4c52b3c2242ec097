// SPDX-License-Identifier: MIT
#include "framework/ops/loss.h"

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "kernels/loss/loss.h"

namespace lily {
namespace {

Gradients squared_error_backward(const Backward& g, const Tensor& x, const Tensor& t, double scale) {
    Tensor dx = g.needs(0) ? empty_like(x) : Tensor{}, dt = g.needs(1) ? empty_like(t) : Tensor{};
    visit_floating("squared_error", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::loss<T>(x.device())
            .squared_error_backward(x.queue(), x.numel(), scale, x.data<T>(), t.data<T>(), g.dy.data<T>(),
                                    dx.defined() ? dx.mutable_data<T>() : nullptr,
                                    dt.defined() ? dt.mutable_data<T>() : nullptr);
    });
    return {dx, dt};
}

Tensor squared_error(const char* op, const Tensor& x, const Tensor& target, double scale) {
    check(x.shape() == target.shape(), "[{}] expected equal shapes, got {} and {}", op, x.shape(),
          target.shape());
    check(x.dtype() == target.dtype(), "[{}] expected equal dtypes, got {} and {}", op, name(x.dtype()),
          name(target.dtype()));
    check_same_device(op, x, target);
    const Tensor t = target.to(x.format());
    Tensor y = empty({}, {.dtype = x.dtype(), .device = x.device()});
    visit_floating(op, x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::loss<T>(x.device())
            .squared_error(x.queue(), x.numel(), scale, x.data<T>(), t.data<T>(), y.mutable_data<T>());
    });
    return record("squared_error", y, {x, t}, [x = Saved(x), t = Saved(t), scale](const Backward& g) {
        if (!grad_enabled()) return squared_error_backward(g, x(), t(), scale);
        const Tensor dx = (2 * scale * g.dy) * (x() - t());  // y = scale Σ (x - t)²
        return Gradients{g.needs(0) ? dx : Tensor{}, g.needs(1) ? -dx : Tensor{}};
    });
}

}  // namespace

Tensor mse_loss(const Tensor& x, const Tensor& target) {
    return squared_error("mse_loss", x, target, 1 / static_cast<double>(x.numel()));
}
Tensor sse_loss(const Tensor& x, const Tensor& target, double scale) {
    return squared_error("sse_loss", x, target, scale);
}

}  // namespace lily
