// SPDX-License-Identifier: MIT
#include "framework/ops/conv2d_relu.h"

#include "framework/ops/activation.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/conv2d_common.h"
#include "framework/ops/pool2d.h"
#include "framework/ops/unary.h"
#include "kernels/elementwise/functions.h"

namespace lily {

using namespace conv2d_common;

namespace {

// dz = dy · [not y <= 0] for y = relu(z)
Tensor relu_gradient(const Tensor& dy, const Tensor& y) {
    if (grad_enabled()) return masked(dy, is_not_cut_off(y));
    const Tensor same = dy.to(y.format());
    Tensor dz = empty(y.shape(), y.options());
    visit_floating("conv2d_relu", y.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::elementwise<T>(y.device())
            .unary_backward(y.queue(), kernels::Unary::relu, {}, y.numel(), nullptr, y.data<T>(),
                            same.data<T>(), dz.mutable_data<T>());
    });
    return dz;
}

// Only the picture's gradient is wanted, and nobody will differentiate it: a kernel does all of it.
bool only_data(const Backward& g) { return !grad_enabled() && g.needs(0) && !g.needs(1) && !g.needs(2); }

Gradients fused_gradient(const Backward& g, const Operands& saved, const Tensor& index, Conv2dPass pass) {
    Gradients result(3);
    // Added to in place is only what is then returned: a sum of x's format, which stays as it is.
    const Tensor given = g.sum_so_far(0),
                 sum = given.defined() && given.format() == saved.x_format ? given : Tensor{};
    result[0] =
        backward_data(g.dy, g.output(), index, saved.weight(), saved.shape(), pass, sum).to(saved.x_format);
    return result;
}

bool fuses_pool(const Tensor& x, const Conv2dShape& s) {
    return visit_floating("conv2d_relu_max_pool2d", x.dtype(), [&](auto zero) {
        return kernels::conv2d<decltype(zero)>(x.device()).fuses_pool(s);
    });
}

}  // namespace

Tensor conv2d_relu(const Tensor& x, const Tensor& weight, const Tensor& bias, Conv2dOptions options) {
    const Conv2dShape s = checked_shape("conv2d_relu", x, weight, bias, options);
    return record(
        "conv2d_relu", forward(x, weight, bias, s, Conv2dPass::forward_relu), {x, weight, bias},
        [saved = Operands(x, weight, options)](const Backward& g) {  // y = relu(conv2d(x, w) + b)
            if (only_data(g)) return fused_gradient(g, saved, {}, Conv2dPass::backward_data_relu);
            return saved.gradients(g, relu_gradient(g.dy, g.output()));
        },
        KeepOutput::yes);
}

Tensor conv2d_relu_max_pool2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                              Conv2dOptions options) {
    const Conv2dShape s = checked_shape("conv2d_relu_max_pool2d", x, weight, bias, options);
    check(s.out_h() >= 2 && s.out_w() >= 2,
          "[conv2d_relu_max_pool2d] a map of {}x{} has no 2x2 window to pool", s.out_h(), s.out_w());
    // max(relu(a), relu(b)) = relu(max(a, b)): the ReLU of a quarter of the values
    if (!fuses_pool(x, s)) return relu(max_pool2d(conv2d(x, weight, bias, options), 2));
    const auto wants = [](const Tensor& t) { return t.defined() && t.requires_grad(); };
    Tensor index;  // one byte per output, in y's order; only if there will be a gradient
    const bool keep = grad_enabled() && (wants(x) || wants(weight) || wants(bias));
    Tensor y = forward(x, weight, bias, s, Conv2dPass::forward_relu_pool, keep ? &index : nullptr);
    return record(
        "conv2d_relu_max_pool2d", y, {x, weight, bias},
        [saved = Operands(x, weight, options), index, s](const Backward& g) {  // y = relu(z[index]), z = conv
            if (only_data(g)) return fused_gradient(g, saved, index, Conv2dPass::backward_data_relu_pool);
            const Tensor y = g.output(), dp = relu_gradient(g.dy, y).to(y.format());
            const Shape z_shape{s.n, s.k, s.out_h(), s.out_w()};
            return saved.gradients(g, max_pool2d_backward(dp, index, z_shape, 2));
        },
        KeepOutput::yes);
}

}  // namespace lily
