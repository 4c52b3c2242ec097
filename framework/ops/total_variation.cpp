// SPDX-License-Identifier: MIT
#include "framework/ops/total_variation.h"

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "kernels/total_variation/total_variation.h"

namespace lily {
namespace {

kernels::PictureShape picture_shape(const Tensor& x) { return {x.size(0) * x.size(1), x.size(2), x.size(3)}; }

// dy, one element, times the slopes that the forward pass found
Tensor total_variation_backward(const Tensor& slopes, const Tensor& dy, const Shape& shape) {
    Tensor dx = empty(shape, dy.options());
    visit_floating("total_variation", dy.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::total_variation<T>(dy.device())
            .backward(dy.queue(), dx.numel(), slopes.data<uint8_t>(), dy.data<T>(), dx.mutable_data<T>());
    });
    return dx;
}

}  // namespace

Tensor total_variation(const Tensor& picture) {
    check(picture.rank() == 4, "[total_variation] expected (N,C,H,W), got {}", picture.shape());
    const Tensor x = picture.contiguous();
    Tensor y = empty({}, {.dtype = x.dtype(), .device = x.device()}), slopes;
    if (grad_enabled() && x.requires_grad())
        slopes = empty({x.numel()}, {.dtype = DType::u8, .device = x.device()});
    visit_floating("total_variation", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::total_variation<T>(x.device())
            .forward(x.queue(), picture_shape(x), x.data<T>(), y.mutable_data<T>(),
                     slopes.defined() ? slopes.mutable_data<uint8_t>() : nullptr);
    });
    return record("total_variation", y, {x}, [slopes, shape = x.shape()](const Backward& g) {
        // y = Σ |differences of x|; the slopes, sums of signs, are constant almost everywhere
        if (!grad_enabled()) return Gradients{total_variation_backward(slopes, g.dy, shape)};
        return Gradients{g.dy * total_variation_backward(slopes, scalar(1, g.dy.options()), shape)};
    });
}

}  // namespace lily
