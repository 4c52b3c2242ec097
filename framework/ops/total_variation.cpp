// SPDX-License-Identifier: MIT
#include "framework/ops/total_variation.h"

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "kernels/total_variation/total_variation.h"

namespace lily {
namespace {

kernels::PictureShape picture_shape(const Tensor& x) { return {x.size(0) * x.size(1), x.size(2), x.size(3)}; }

Tensor total_variation_backward(const Tensor& x, const Tensor& dy) {
    Tensor dx = empty_like(x);
    visit_floating("total_variation", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::total_variation<T>(x.device())
            .backward(x.queue(), picture_shape(x), x.data<T>(), dy.data<T>(), dx.mutable_data<T>());
    });
    return dx;
}

}  // namespace

Tensor total_variation(const Tensor& picture) {
    check(picture.rank() == 4, "[total_variation] expected (N,C,H,W), got {}", picture.shape());
    const Tensor x = picture.contiguous();
    Tensor y = empty({}, {.dtype = x.dtype(), .device = x.device()});
    visit_floating("total_variation", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::total_variation<T>(x.device())
            .forward(x.queue(), picture_shape(x), x.data<T>(), y.mutable_data<T>());
    });
    return record("total_variation", y, {x}, [x = Saved(x)](const Backward& g) {  // y = Σ |differences of x|
        if (!grad_enabled()) return Gradients{total_variation_backward(x(), g.dy)};
        // the slopes, sums of signs, are constant almost everywhere
        const Tensor slopes = total_variation_backward(x(), scalar(1, g.dy.options()));
        return Gradients{g.dy * slopes};
    });
}

}  // namespace lily
