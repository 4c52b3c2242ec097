// SPDX-License-Identifier: MIT
#include "framework/ops/linear.h"

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/matmul.h"
#include "framework/ops/reduce.h"
#include "framework/ops/shape.h"
#include "kernels/elementwise/elementwise.h"
#include "kernels/linear/linear.h"

namespace lily {
namespace {

// y (rows, out), without a graph
Tensor run(const Tensor& x, const Tensor& weight, const Tensor& bias, bool relu, double slope) {
    Tensor y = empty({x.size(0), weight.size(0)}, {.dtype = x.dtype(), .device = x.device()});
    visit_floating("linear", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::linear<T>(x.device())
            .forward(x.queue(), {x.size(0), x.size(1), weight.size(0), relu, slope}, x.data<T>(),
                     weight.data<T>(), bias.defined() ? bias.data<T>() : nullptr, y.mutable_data<T>());
    });
    return y;
}

// Of z = x Wᵀ + b, from dz; only what is asked for is needed of x and W.
Gradients gradients(const Backward& g, const Tensor& dz, const Saved& x, const Saved& weight) {
    return {g.needs(0) ? matmul(dz, weight()) : Tensor{},
            g.needs(1) ? matmul(dz, Transposed::yes, x(), Transposed::no) : Tensor{},
            g.needs(2) ? sum(dz, {0}) : Tensor{}};
}

// x (rows, in)
Tensor linear_rows(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    const bool dx = x.requires_grad(), dw = weight.requires_grad();
    return record("linear", run(x, weight, bias, false, 0), {x, weight, bias},
                  [x = saved_if(dw, x), weight = saved_if(dx, weight)](const Backward& g) {  // y = x Wᵀ + b
                      return gradients(g, g.dy, x, weight);
                  });
}

// dz = dy where y > 0, slope dy elsewhere; y has z's sign
Tensor relu_gradient(const Tensor& dy, const Tensor& y, double slope) {
    if (grad_enabled()) return dy * affine(gt(y.detach(), scalar(0, {.dtype = y.dtype()})), 1 - slope, slope);
    const Tensor same = dy.contiguous();
    Tensor dz = empty_like(y);
    visit_floating("linear_relu", y.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::elementwise<T>(y.device())
            .unary_backward(y.queue(), kernels::Unary::leaky_relu, {.a = slope}, y.numel(), y.data<T>(),
                            nullptr, same.data<T>(), dz.mutable_data<T>());
    });
    return dz;
}

Tensor linear_relu_rows(const Tensor& x, const Tensor& weight, const Tensor& bias, double slope) {
    const bool dx = x.requires_grad(), dw = weight.requires_grad();
    return record(
        "linear_relu", run(x, weight, bias, true, slope), {x, weight, bias},
        [x = saved_if(dw, x), weight = saved_if(dx, weight), slope](const Backward& g) {  // y = f(x Wᵀ + b)
            return gradients(g, relu_gradient(g.dy, g.output(), slope), x, weight);
        },
        KeepOutput::yes);
}

void check_operands(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias) {
    check(weight.rank() == 2, "[{}] expected a weight (out,in), got {}", op, weight.shape());
    check(x.rank() >= 1 && x.size(-1) == weight.size(1), "[{}] expected x (…,{}) for a weight {}, got {}", op,
          weight.size(1), weight.shape(), x.shape());
    check(x.dtype() == weight.dtype(), "[{}] expected equal dtypes, got x {} and weight {}", op,
          name(x.dtype()), name(weight.dtype()));
    check_same_device(op, x, weight);
    if (!bias.defined()) return;
    check(bias.shape() == Shape{weight.size(0)}, "[{}] expected a bias ({}) for a weight {}, got {}", op,
          weight.size(0), weight.shape(), bias.shape());
    check(bias.dtype() == x.dtype(), "[{}] expected equal dtypes, got x {} and bias {}", op, name(x.dtype()),
          name(bias.dtype()));
    check_same_device(op, x, bias);
}

// rows(x as (rows, in)), in x's leading sizes
template <class Rows>
Tensor in_rows(const Tensor& x, const Tensor& weight, const Rows& rows) {
    Shape shape = x.shape();
    shape[shape.rank() - 1] = weight.size(0);
    const int64_t count = Shape(x.shape().begin(), x.shape().end() - 1).numel();
    return reshape(rows(reshape(x, {count, weight.size(1)})), shape);
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    check_operands("linear", x, weight, bias);
    return in_rows(x, weight, [&](const Tensor& rows) { return linear_rows(rows, weight, bias); });
}

Tensor linear_relu(const Tensor& x, const Tensor& weight, const Tensor& bias, double negative_slope) {
    check_operands("linear_relu", x, weight, bias);
    check(negative_slope >= 0, "[linear_relu] expected a slope >= 0, got {}", negative_slope);
    return in_rows(x, weight,
                   [&](const Tensor& rows) { return linear_relu_rows(rows, weight, bias, negative_slope); });
}

}  // namespace lily
