// SPDX-License-Identifier: MIT
#include "framework/ops/conv2d.h"

#include "framework/ops/conv2d_common.h"

namespace lily {

using namespace conv2d_common;
using kernels::Conv2dPlan;

namespace {

Tensor convolve(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& options,
                const Conv2dShape& s) {
    return record("conv2d", forward(x, weight, bias, s, Conv2dPass::forward), {x, weight, bias},
                  [saved = Operands(x, weight, options)](const Backward& g) {  // y = conv2d(x, w) + b
                      return saved.gradients(g, g.dy);
                  });
}

// As part of a backward pass, where n may have a say in the algorithm.
Tensor output_gradient(const Tensor& x, const Tensor& weight, const Conv2dOptions& options) {
    return convolve(x, weight, {}, options, shape_of(x.shape(), weight.shape(), options));
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, Conv2dOptions options) {
    return convolve(x, weight, bias, options, checked_shape("conv2d", x, weight, bias, options));
}

Tensor conv2d_backward_data(const Tensor& dy, const Tensor& weight, std::array<int64_t, 2> input_size,
                            Conv2dOptions options) {
    return input_gradient(dy, weight, input_size, options, !grad_enabled());
}

Tensor conv2d_common::input_gradient(const Tensor& dy, const Tensor& weight,
                                     std::array<int64_t, 2> input_size, const Conv2dOptions& options,
                                     bool by_map) {
    const char* op = "conv2d_backward_data";
    check_operands(op, "dy", dy, "weight", weight);
    check_options(op, options);
    check(weight.size(0) % options.groups == 0, "[{}] {} output channels do not divide into {} groups", op,
          weight.size(0), options.groups);
    const Shape x_shape{dy.size(0), weight.size(1) * options.groups, input_size[0], input_size[1]};
    Conv2dShape s = shape_of(x_shape, weight.shape(), options);
    s.by_map = by_map;
    const Shape expected{s.n, s.k, s.out_h(), s.out_w()};
    check(dy.shape() == expected, "[{}] x {} and weight {} give {}, got dy {}", op, x_shape, weight.shape(),
          expected, dy.shape());
    return record(
        "conv2d_backward_data", backward_data(dy, {}, {}, weight, s, Conv2dPass::backward_data), {dy, weight},
        [dy = saved_if(weight.requires_grad(), dy), weight = saved_if(dy.requires_grad(), weight), s,
         options](const Backward& g) {  // dx = D(dy, w)
            Gradients result(2);
            if (g.needs(0)) result[0] = output_gradient(g.dy, weight(), options);
            if (g.needs(1)) result[1] = conv2d_backward_weights(g.dy, dy(), {s.r, s.s}, options);
            return result;
        });
}

Tensor conv2d_backward_weights(const Tensor& x, const Tensor& dy, std::array<int64_t, 2> kernel_size,
                               Conv2dOptions options) {
    const char* op = "conv2d_backward_weights";
    check_operands(op, "x", x, "dy", dy);
    check_options(op, options);
    const Shape w_shape{dy.size(1), x.size(1) / options.groups, kernel_size[0], kernel_size[1]};
    check(x.size(1) % options.groups == 0 && dy.size(1) % options.groups == 0,
          "[{}] the channels of x {} and dy {} do not divide into {} groups", op, x.shape(), dy.shape(),
          options.groups);
    const Conv2dShape s = shape_of(x.shape(), w_shape, options);
    const Shape expected{s.n, s.k, s.out_h(), s.out_w()};
    check(dy.shape() == expected, "[{}] x {} and weight {} give {}, got dy {}", op, x.shape(), w_shape,
          expected, dy.shape());
    const auto run = [&] {
        const NoGrad no_grad;
        const TensorOptions plain{.dtype = x.dtype(), .device = x.device()};
        if (x.numel() == 0 || dy.numel() == 0) return zeros(w_shape, plain);
        return visit_floating(op, x.dtype(), [&](auto zero) {
            using T = decltype(zero);
            const auto& kernel = kernels::conv2d<T>(x.device());
            const std::shared_ptr<const Conv2dPlan> kept = kernel.plan(s, Conv2dPass::backward_weights);
            const Conv2dPlan& plan = *kept;
            const Tensor from_x = x.to(format_of(plan.x_layout)), from_y = dy.to(format_of(plan.y_layout));
            Tensor dw = empty(w_shape, plain);
            kernel.backward_weights(x.queue(), plan, from_x.data<T>(), from_y.data<T>(),
                                    dw.mutable_data<T>());
            return dw;
        });
    };
    return record("conv2d_backward_weights", run(), {x, dy},
                  [x = saved_if(dy.requires_grad(), x), dy = saved_if(x.requires_grad(), dy), options,
                   input_size = std::array{x.size(2), x.size(3)}](const Backward& g) {  // dw = W(x, dy)
                      Gradients result(2);
                      if (g.needs(0)) result[0] = input_gradient(dy(), g.dy, input_size, options);
                      if (g.needs(1)) result[1] = output_gradient(x(), g.dy, options);
                      return result;
                  });
}

}  // namespace lily
