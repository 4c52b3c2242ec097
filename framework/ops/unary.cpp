// SPDX-License-Identifier: MIT
#include "framework/ops/unary.h"

#include "framework/ops/arithmetic.h"

namespace lily {

Tensor unary(const char* op, kernels::Unary f, kernels::UnaryArguments args, const Tensor& x, SlopeUses uses,
             std::function<Tensor(const Tensor& v, const Tensor& dy)> gradient) {
    Tensor y = empty_like(x);
    visit_floating(op, x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::elementwise<T>(x.device())
            .unary(x.queue(), f, args, x.numel(), x.data<T>(), y.mutable_data<T>());
    });
    const auto backward = [op, f, args, uses, gradient = std::move(gradient),
                           x = saved_if(uses == SlopeUses::x, x)](const Backward& g) {
        const Tensor v = uses == SlopeUses::x ? x() : uses == SlopeUses::y ? g.output() : g.dy;
        const Tensor dy = g.dy.to(v.format());
        if (grad_enabled()) return Gradients{gradient(v, dy)};
        Tensor dx = empty_like(dy);
        visit_floating(op, dy.dtype(), [&](auto zero) {
            using T = decltype(zero);
            kernels::elementwise<T>(dy.device())
                .unary_backward(dy.queue(), f, args, dy.numel(), uses == SlopeUses::x ? v.data<T>() : nullptr,
                                uses == SlopeUses::y ? v.data<T>() : nullptr, dy.data<T>(),
                                dx.mutable_data<T>());
        });
        return Gradients{dx};
    };
    return record(op, y, {x}, backward, uses == SlopeUses::y ? KeepOutput::yes : KeepOutput::no);
}

Tensor is_positive(const Tensor& v) { return gt(v.detach(), scalar(0, {.dtype = v.dtype()})); }
Tensor is_not_cut_off(const Tensor& y) { return 1 - le(y.detach(), scalar(0, {.dtype = y.dtype()})); }
Tensor leaky_slope(const Tensor& v, double negative_slope) {
    return affine(is_positive(v), 1 - negative_slope, negative_slope);
}

}  // namespace lily
