// SPDX-License-Identifier: MIT
#include "framework/ops/conv2d_common.h"

#include <cmath>

#include "framework/ops/data_or_null.h"
#include "framework/ops/reduce.h"

namespace lily::conv2d_common {
namespace {

using kernels::Conv2dPlan;

// The weights as the plan reads them; packed once per plan and state of the weights.
std::shared_ptr<Storage> packed_weights(const kernels::Conv2dKernels<float>& kernel, const Conv2dPlan& plan,
                                        const Tensor& weight) {
    return weight.storage()->derived(plan.packing, [&] {
        auto packed = std::make_shared<Storage>(weight.device(), static_cast<size_t>(plan.packed_bytes));
        kernel.pack(weight.queue(), plan, weight.data<float>(), packed->data());
        return packed;
    });
}

// run(weights), packed where the plan wants that.
template <class T, class Run>
void with_weights(const kernels::Conv2dKernels<T>& kernel, const Conv2dPlan& plan, const Tensor& weight,
                  const Run& run) {
    const T* w = weight.data<T>();
    if constexpr (std::is_same_v<T, float>) {
        if (plan.packed_bytes > 0) {
            const std::shared_ptr<Storage> packed = packed_weights(kernel, plan, weight);
            return run(kernels::Conv2dWeights<T>{w, packed->data()});
        }
    }
    run(kernels::Conv2dWeights<T>{w});
}

// db = Σ_n,h,w dy
Tensor bias_gradient(const Tensor& dy) {
    if (grad_enabled() || dy.format() == MemoryFormat::channels_last) return sum(dy, {0, 2, 3});
    Tensor db = empty({dy.size(1)}, {.dtype = dy.dtype(), .device = dy.device()});
    visit_floating("conv2d", dy.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::conv2d<T>(dy.device())
            .backward_bias(dy.queue(), dy.size(0), dy.size(1), dy.size(2) * dy.size(3),
                           channel_block(dy.format()), dy.data<T>(), db.mutable_data<T>());
    });
    return db;
}

}  // namespace

MemoryFormat format_of(int64_t layout) {
    return layout == 16  ? MemoryFormat::blocked16
           : layout == 8 ? MemoryFormat::blocked8
                         : MemoryFormat::contiguous;
}

void check_options(const char* op, const Conv2dOptions& o) {
    for (size_t axis = 0; axis < 2; ++axis) {
        check(o.stride[axis] >= 1, "[{}] expected stride >= 1, got ({})", op, fmt::join(o.stride, ","));
        check(o.padding[axis] >= 0, "[{}] expected padding >= 0, got ({})", op, fmt::join(o.padding, ","));
        check(o.dilation[axis] >= 1, "[{}] expected dilation >= 1, got ({})", op, fmt::join(o.dilation, ","));
    }
    check(o.groups >= 1, "[{}] expected groups >= 1, got {}", op, o.groups);
    check(std::isfinite(o.weight_scale), "[{}] expected a finite weight_scale, got {}", op, o.weight_scale);
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

Conv2dShape shape_of(const Shape& x, const Shape& weight, const Conv2dOptions& o) {
    return {.n = x[0],
            .c = x[1],
            .h = x[2],
            .w = x[3],
            .k = weight[0],
            .r = weight[2],
            .s = weight[3],
            .stride = o.stride,
            .padding = o.padding,
            .dilation = o.dilation,
            .groups = o.groups,
            .weight_scale = o.weight_scale};
}

Conv2dShape checked_shape(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                          const Conv2dOptions& o) {
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
    Conv2dShape s = shape_of(x.shape(), weight.shape(), o);
    s.by_map = !grad_enabled() || !weight.requires_grad();  // else the weights change at every step
    check(s.out_h() > 0 && s.out_w() > 0,
          "[{}] a kernel of {}x{} with dilation ({}) does not fit into x {} with padding ({})", op, s.r, s.s,
          fmt::join(o.dilation, ","), x.shape(), fmt::join(o.padding, ","));
    return s;
}

Tensor forward(const Tensor& given_x, const Tensor& given_weight, const Tensor& given_bias,
               const Conv2dShape& s, Conv2dPass pass, Tensor* index) {
    const NoGrad no_grad;
    TensorOptions options{.dtype = given_x.dtype(), .device = given_x.device()};
    const int64_t part = has_pool(pass) ? 2 : 1;
    const Shape shape{s.n, s.k, s.out_h() / part, s.out_w() / part};
    if (index) *index = empty({shape.numel()}, {.dtype = DType::u8, .device = given_x.device()});
    if (shape.numel() == 0) return empty(shape, options);
    return visit_floating("conv2d", given_x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        const auto& kernel = kernels::conv2d<T>(given_x.device());
        const std::shared_ptr<const Conv2dPlan> kept = kernel.plan(s, pass);
        const Conv2dPlan& plan = *kept;
        const Tensor x = given_x.to(format_of(plan.x_layout)), weight = given_weight.contiguous();
        options.format = format_of(plan.y_layout);
        Tensor y = empty(shape, options);
        with_weights(kernel, plan, weight, [&](const kernels::Conv2dWeights<T>& w) {
            kernel.forward(x.queue(), plan, x.data<T>(), w, data_or_null<T>(given_bias),
                           {y.mutable_data<T>(), index ? index->mutable_data<uint8_t>() : nullptr});
        });
        return y;
    });
}

Tensor backward_data(const Tensor& dy, const Tensor& y, const Tensor& index, const Tensor& weight,
                     const Conv2dShape& s, Conv2dPass pass, Tensor sum) {
    const NoGrad no_grad;
    const TensorOptions plain{.dtype = dy.dtype(), .device = dy.device()};
    const Shape x_shape{s.n, s.c, s.h, s.w};
    if (x_shape.numel() == 0 || dy.numel() == 0) return zeros(x_shape, plain);
    return visit_floating("conv2d_backward_data", dy.dtype(), [&](auto zero) {
        using T = decltype(zero);
        const auto& kernel = kernels::conv2d<T>(dy.device());
        const std::shared_ptr<const Conv2dPlan> kept = kernel.plan(s, pass);
        const Conv2dPlan& plan = *kept;
        const MemoryFormat format = format_of(plan.y_layout);
        const Tensor from = dy.to(format), output = y.defined() ? y.to(format) : y,
                     filters = weight.contiguous();
        const TensorOptions options{plain.dtype, plain.device, format_of(plan.x_layout)};
        const bool add = sum.defined() && plan.can_add && sum.options() == options;
        Tensor dx = add ? sum : empty(x_shape, options);
        with_weights(kernel, plan, filters, [&](const kernels::Conv2dWeights<T>& w) {
            kernel.backward_data(dy.queue(), plan,
                                 {from.data<T>(), data_or_null<T>(output), data_or_null<uint8_t>(index)}, w,
                                 add, dx.mutable_data<T>());
        });
        return dx;
    });
}

Operands::Operands(const Tensor& input, const Tensor& filters, const Conv2dOptions& o)
    : x(saved_if(filters.requires_grad(), input)),
      weight(saved_if(input.requires_grad(), filters)),
      x_shape(input.shape()),
      weight_shape(filters.shape()),
      x_format(input.format()),
      options(o) {}

Gradients Operands::gradients(const Backward& g, const Tensor& dy) const {
    Gradients result(3);
    if (g.needs(0)) result[0] = input_gradient(dy, weight(), {x_shape[2], x_shape[3]}, options).to(x_format);
    if (g.needs(1)) result[1] = conv2d_backward_weights(x(), dy, {weight_shape[2], weight_shape[3]}, options);
    if (g.needs(2)) result[2] = bias_gradient(dy);
    return result;
}

}  // namespace lily::conv2d_common
