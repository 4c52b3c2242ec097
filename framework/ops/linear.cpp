// SPDX-License-Identifier: MIT
#include "framework/ops/linear.h"

#include <cmath>

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/data_or_null.h"
#include "framework/ops/matmul.h"
#include "framework/ops/reduce.h"
#include "framework/ops/shape.h"
#include "framework/ops/unary.h"
#include "kernels/linear/linear.h"

namespace lily {
namespace {

using kernels::Activation;
using kernels::LinearActivation;

// x (rows, in), weight (out, in): what the backward pass uses.
struct Operands {
    Saved x, weight;
    kernels::LinearShape shape;
    LinearActivation activation;

    Gradients fused(const Backward& g) const {
        const bool activated = activation.function != Activation::none;
        const Tensor from = g.needs(1) ? x() : Tensor{}, w = g.needs(0) ? weight() : Tensor{};
        const Tensor y = activated ? g.output() : Tensor{};
        const auto wanted = [&](size_t i, const Shape& of) {
            return g.needs(i) ? empty(of, {.dtype = g.dy.dtype(), .device = g.dy.device()}) : Tensor{};
        };
        Tensor dx = wanted(0, {shape.rows, shape.in}), dw = wanted(1, {shape.out, shape.in}),
               db = wanted(2, {shape.out});
        visit_floating("linear", g.dy.dtype(), [&](auto zero) {
            using T = decltype(zero);
            kernels::linear<T>(g.dy.device())
                .backward(g.dy.queue(), shape, activation, data_or_null<T>(from), data_or_null<T>(w),
                          data_or_null<T>(y), g.dy.data<T>(),
                          {mutable_or_null<T>(dx), mutable_or_null<T>(dw), mutable_or_null<T>(db)});
        });
        return {dx, dw, db};
    }

    Gradients composed(const Backward& g) const {
        const Tensor dz = slope(g);
        const Tensor scaled = shape.weight_scale == 1 ? dz : dz * shape.weight_scale;  // (rows, out)
        return {g.needs(0) ? matmul(scaled, weight()) : Tensor{},
                g.needs(1) ? matmul(scaled, Transposed::yes, x(), Transposed::no) : Tensor{},
                g.needs(2) ? sum(dz, {0}) : Tensor{}};
    }

    // dz = dy f'(z)
    Tensor slope(const Backward& g) const {
        if (activation.function == Activation::none) return g.dy;
        const Tensor y = g.output();
        if (activation.function == Activation::tanh) return g.dy * (1 - y * y);
        if (activation.function == Activation::relu) return masked(g.dy, is_not_cut_off(y));
        return g.dy * leaky_slope(y, activation.slope);
    }
};

Tensor linear_rows(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                   LinearActivation activation, LinearOptions options) {
    const kernels::LinearShape shape{x.size(0), x.size(1), weight.size(0), options.weight_scale};
    Tensor y = empty({shape.rows, shape.out}, {.dtype = x.dtype(), .device = x.device()});
    visit_floating("linear", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::linear<T>(x.device())
            .forward(x.queue(), shape, activation, x.data<T>(), weight.data<T>(), data_or_null<T>(bias),
                     y.mutable_data<T>());
    });
    const Saved x_saved = saved_if(weight.requires_grad(), x), w_saved = saved_if(x.requires_grad(), weight);
    return record(
        op, y, {x, weight, bias},
        [saved = Operands{x_saved, w_saved, shape, activation}](const Backward& g) {  // y = f(s x Wᵀ + b)
            return grad_enabled() ? saved.composed(g) : saved.fused(g);
        },
        activation.function == Activation::none ? KeepOutput::no : KeepOutput::yes);
}

Tensor linear_op(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                 LinearActivation activation, LinearOptions options) {
    check(std::isfinite(options.weight_scale), "[{}] expected a finite weight_scale, got {}", op,
          options.weight_scale);
    check(weight.rank() == 2, "[{}] expected a weight (out,in), got {}", op, weight.shape());
    check(x.rank() >= 1 && x.size(-1) == weight.size(1), "[{}] expected x (…,{}) for a weight {}, got {}", op,
          weight.size(1), weight.shape(), x.shape());
    check(x.dtype() == weight.dtype(), "[{}] expected equal dtypes, got x {} and weight {}", op,
          name(x.dtype()), name(weight.dtype()));
    check_same_device(op, x, weight);
    if (bias.defined()) {
        check(bias.shape() == Shape{weight.size(0)}, "[{}] expected a bias ({}) for a weight {}, got {}", op,
              weight.size(0), weight.shape(), bias.shape());
        check(bias.dtype() == x.dtype(), "[{}] expected equal dtypes, got x {} and bias {}", op,
              name(x.dtype()), name(bias.dtype()));
        check_same_device(op, x, bias);
    }
    if (x.rank() == 2) return linear_rows(op, x, weight, bias, activation, options);
    Shape shape = x.shape();
    shape[shape.rank() - 1] = weight.size(0);
    const int64_t in = weight.size(1), rows = Shape(x.shape().begin(), x.shape().end() - 1).numel();
    return reshape(linear_rows(op, reshape(x, {rows, in}), weight, bias, activation, options), shape);
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias, LinearOptions options) {
    return linear_op("linear", x, weight, bias, {}, options);
}
Tensor linear_relu(const Tensor& x, const Tensor& weight, const Tensor& bias, LinearOptions options) {
    return linear_op("linear_relu", x, weight, bias, {Activation::relu}, options);
}
Tensor linear_leaky_relu(const Tensor& x, const Tensor& weight, const Tensor& bias, double negative_slope,
                         LinearOptions options) {
    check(negative_slope >= 0, "[linear_leaky_relu] expected negative_slope >= 0, got {}", negative_slope);
    return linear_op("linear_leaky_relu", x, weight, bias, {Activation::leaky_relu, negative_slope}, options);
}
Tensor linear_tanh(const Tensor& x, const Tensor& weight, const Tensor& bias, LinearOptions options) {
    return linear_op("linear_tanh", x, weight, bias, {Activation::tanh}, options);
}

}  // namespace lily
