// SPDX-License-Identifier: MIT
#include "framework/ops/conv2d.h"

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/reduce.h"
#include "kernels/conv2d/conv2d.h"
#include "kernels/elementwise/elementwise.h"

namespace lily {
namespace {

using kernels::Conv2dPass;
using kernels::Conv2dPlan;
using kernels::Conv2dShape;

MemoryFormat format_of(int64_t layout) {
    return layout == 16  ? MemoryFormat::blocked16
           : layout == 8 ? MemoryFormat::blocked8
                         : MemoryFormat::contiguous;
}
int64_t layout_of(MemoryFormat format) { return channel_block(format); }

void check_options(const char* op, const Conv2dOptions& o) {
    for (size_t axis = 0; axis < 2; ++axis) {
        check(o.stride[axis] >= 1, "[{}] expected stride >= 1, got ({})", op, fmt::join(o.stride, ","));
        check(o.padding[axis] >= 0, "[{}] expected padding >= 0, got ({})", op, fmt::join(o.padding, ","));
        check(o.dilation[axis] >= 1, "[{}] expected dilation >= 1, got ({})", op, fmt::join(o.dilation, ","));
    }
    check(o.groups >= 1, "[{}] expected groups >= 1, got {}", op, o.groups);
}

void check_operands(const char* op, const char* a_name, const Tensor& a, const char* b_name,
                    const Tensor& b) {
    check(a.rank() == 4, "[{}] expected {} of rank 4, got {}", op, a_name, a.shape());
    check(b.rank() == 4, "[{}] expected {} of rank 4, got {}", op, b_name, b.shape());
    check(a.dtype() == b.dtype(), "[{}] {} is {}, {} is {}; convert one with to()", op, a_name,
          name(a.dtype()), b_name, name(b.dtype()));
    check(is_floating(a.dtype()), "[{}] expected tensors of f32 or f64, got {}", op, name(a.dtype()));
    check_same_device(op, a, b);
}

Conv2dShape conv2d_shape(const Shape& x, const Shape& weight, const Conv2dOptions& o) {
    return {x[0],      x[1],     x[2],      x[3],       weight[0], weight[2],
            weight[3], o.stride, o.padding, o.dilation, o.groups};
}

// The weights as the plan reads them; packed once per plan and state of the weights.
std::shared_ptr<Storage> packed_weights(const kernels::Conv2dKernels<float>& kernel, const Conv2dPlan& plan,
                                        const Tensor& weight) {
    return weight.storage()->derived(plan.packing, [&] {
        auto packed = std::make_shared<Storage>(weight.device(), static_cast<size_t>(plan.packed_bytes));
        kernel.pack(weight.queue(), plan, weight.data<float>(), packed->data());
        return packed;
    });
}

// run(weights): `weight` as itself or packed.
template <class T, class Run>
void with_weights(const kernels::Conv2dKernels<T>& kernel, const Conv2dPlan& plan, const Tensor& weight,
                  const Run& run) {
    if constexpr (std::is_same_v<T, float>) {
        if (plan.packed_bytes > 0) return run(packed_weights(kernel, plan, weight)->data());
    }
    run(static_cast<const void*>(weight.data<T>()));
}

Tensor forward(const Tensor& given_x, const Tensor& given_weight, const Tensor& given_bias,
               const Conv2dShape& s, bool relu) {
    const NoGrad no_grad;
    TensorOptions options{.dtype = given_x.dtype(), .device = given_x.device()};
    const Shape shape{s.n, s.k, s.out_h(), s.out_w()};
    if (shape.numel() == 0) return empty(shape, options);
    return visit_floating("conv2d", given_x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        const auto& kernel = kernels::conv2d<T>(given_x.device());
        const Conv2dPlan& plan = kernel.plan(s, relu ? Conv2dPass::forward_relu : Conv2dPass::forward);
        const Tensor x = given_x.to(format_of(plan.x_layout)), weight = given_weight.contiguous();
        options.format = format_of(plan.y_layout);
        Tensor y = empty(shape, options);
        with_weights(kernel, plan, weight, [&](const void* w) {
            kernel.forward(x.queue(), plan, x.data<T>(), w,
                           given_bias.defined() ? given_bias.data<T>() : nullptr, y.mutable_data<T>());
        });
        return y;
    });
}

Tensor checked_forward(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                       const Conv2dOptions& o, bool relu) {
    check_operands(op, "x", x, "weight", weight);
    check_options(op, o);
    const int64_t groups = o.groups, expected = weight.size(1) * groups;
    check(weight.size(0) % groups == 0 && expected > 0 && weight.size(0) > 0,
          "[{}] expected a weight (K,C/groups,R,S) with K divisible by groups = {}, got {}", op, groups,
          weight.shape());
    check(x.size(1) == expected, "[{}] weight expects {} input channels, got x {}", op, expected, x.shape());
    check(weight.size(2) > 0 && weight.size(3) > 0, "[{}] the weight {} has no taps", op, weight.shape());
    if (bias.defined()) {
        check(bias.shape() == Shape{weight.size(0)}, "[{}] expected a bias ({}), got {}", op, weight.size(0),
              bias.shape());
        check(bias.dtype() == x.dtype(), "[{}] x is {}, bias is {}; convert one with to()", op,
              name(x.dtype()), name(bias.dtype()));
        check_same_device(op, x, bias);
    }
    const Conv2dShape s = conv2d_shape(x.shape(), weight.shape(), o);
    check(s.out_h() > 0 && s.out_w() > 0,
          "[{}] a kernel of {}x{} with dilation ({}) does not fit into x {} with padding ({})", op, s.r, s.s,
          fmt::join(o.dilation, ","), x.shape(), fmt::join(o.padding, ","));
    return forward(x, weight, bias, s, relu);
}

// db = Σ_n,h,w dy
Tensor bias_gradient(const Tensor& dy) {
    if (grad_enabled() || dy.format() == MemoryFormat::channels_last) return sum(dy, {0, 2, 3});
    Tensor db = empty({dy.size(1)}, {.dtype = dy.dtype(), .device = dy.device()});
    visit_floating("conv2d", dy.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::conv2d<T>(dy.device())
            .backward_bias(dy.queue(), dy.size(0), dy.size(1), dy.size(2) * dy.size(3),
                           layout_of(dy.format()), dy.data<T>(), db.mutable_data<T>());
    });
    return db;
}

// dz = dy · [y > 0] for y = relu(z)
Tensor relu_gradient(const Tensor& dy, const Tensor& y) {
    if (grad_enabled()) return dy * gt(y.detach(), scalar(0, {.dtype = y.dtype()}));
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

// What the gradients of a convolution need from its forward pass.
struct Operands {
    Saved x, weight;
    Shape x_shape, weight_shape;
    MemoryFormat x_format;
    Conv2dOptions options;

    Operands(const Tensor& input, const Tensor& filters, const Conv2dOptions& o)
        : x(saved_if(filters.requires_grad(), input)),
          weight(saved_if(input.requires_grad(), filters)),
          x_shape(input.shape()),
          weight_shape(filters.shape()),
          x_format(input.format()),
          options(o) {}

    // of y = conv2d(x, weight, bias)
    Gradients gradients(const Backward& g, const Tensor& dy) const {
        Gradients result(3);
        if (g.needs(0))
            result[0] = conv2d_backward_data(dy, weight(), {x_shape[2], x_shape[3]}, options).to(x_format);
        if (g.needs(1))
            result[1] = conv2d_backward_weights(x(), dy, {weight_shape[2], weight_shape[3]}, options);
        if (g.needs(2)) result[2] = bias_gradient(dy);
        return result;
    }
};

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, Conv2dOptions options) {
    return record("conv2d", checked_forward("conv2d", x, weight, bias, options, false), {x, weight, bias},
                  [saved = Operands(x, weight, options)](const Backward& g) {  // y = conv2d(x, w) + b
                      return saved.gradients(g, g.dy);
                  });
}

Tensor conv2d_relu(const Tensor& x, const Tensor& weight, const Tensor& bias, Conv2dOptions options) {
    return record(
        "conv2d_relu", checked_forward("conv2d_relu", x, weight, bias, options, true), {x, weight, bias},
        [saved = Operands(x, weight, options)](const Backward& g) {  // y = relu(conv2d(x, w) + b)
            return saved.gradients(g, relu_gradient(g.dy, g.output()));
        },
        KeepOutput::yes);
}

Tensor conv2d_backward_data(const Tensor& dy, const Tensor& weight, std::array<int64_t, 2> input_size,
                            Conv2dOptions options) {
    const char* op = "conv2d_backward_data";
    check_operands(op, "dy", dy, "weight", weight);
    check_options(op, options);
    const Shape x_shape{dy.size(0), weight.size(1) * options.groups, input_size[0], input_size[1]};
    const Conv2dShape s = conv2d_shape(x_shape, weight.shape(), options);
    const Shape expected{s.n, s.k, s.out_h(), s.out_w()};
    check(dy.shape() == expected, "[{}] x {} and weight {} give {}, got dy {}", op, x_shape, weight.shape(),
          expected, dy.shape());
    const auto run = [&] {
        const NoGrad no_grad;
        const TensorOptions plain{.dtype = dy.dtype(), .device = dy.device()};
        if (x_shape.numel() == 0 || dy.numel() == 0) return zeros(x_shape, plain);
        return visit_floating(op, dy.dtype(), [&](auto zero) {
            using T = decltype(zero);
            const auto& kernel = kernels::conv2d<T>(dy.device());
            const Conv2dPlan& plan = kernel.plan(s, Conv2dPass::backward_data);
            const Tensor from = dy.to(format_of(plan.y_layout)), filters = weight.contiguous();
            Tensor dx = empty(x_shape, {plain.dtype, plain.device, format_of(plan.x_layout)});
            with_weights(kernel, plan, filters, [&](const void* w) {
                kernel.backward_data(dy.queue(), plan, from.data<T>(), w, dx.mutable_data<T>());
            });
            return dx;
        });
    };
    return record(
        "conv2d_backward_data", run(), {dy, weight},
        [dy = saved_if(weight.requires_grad(), dy), weight = saved_if(dy.requires_grad(), weight), s,
         options](const Backward& g) {  // dx = D(dy, w)
            Gradients result(2);
            if (g.needs(0)) result[0] = conv2d(g.dy, weight(), {}, options);
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
    const Conv2dShape s = conv2d_shape(x.shape(), w_shape, options);
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
            const Conv2dPlan& plan = kernel.plan(s, Conv2dPass::backward_weights);
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
                      if (g.needs(0)) result[0] = conv2d_backward_data(dy(), g.dy, input_size, options);
                      if (g.needs(1)) result[1] = conv2d(x(), g.dy, {}, options);
                      return result;
                  });
}

}  // namespace lily
