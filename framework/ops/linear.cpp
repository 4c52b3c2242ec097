// SPDX-License-Identifier: MIT
#include "framework/ops/linear.h"

#include "framework/autograd.h"
#include "framework/ops/matmul.h"
#include "framework/ops/reduce.h"
#include "framework/ops/shape.h"
#include "kernels/linear/linear.h"

namespace lily {
namespace {

// x (rows, in)
Tensor linear_rows(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    Tensor y = empty({x.size(0), weight.size(0)}, {.dtype = x.dtype(), .device = x.device()});
    visit_floating("linear", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::linear<T>(x.device())
            .forward(x.queue(), {x.size(0), x.size(1), weight.size(0)}, x.data<T>(), weight.data<T>(),
                     bias.defined() ? bias.data<T>() : nullptr, y.mutable_data<T>());
    });
    const bool dx = x.requires_grad(), dw = weight.requires_grad();
    return record("linear", y, {x, weight, bias},
                  [x = saved_if(dw, x), weight = saved_if(dx, weight)](const Backward& g) {  // y = x Wᵀ + b
                      return Gradients{
                          g.needs(0) ? matmul(g.dy, weight()) : Tensor{},
                          g.needs(1) ? matmul(g.dy, Transposed::yes, x(), Transposed::no) : Tensor{},
                          g.needs(2) ? sum(g.dy, {0}) : Tensor{}};
                  });
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
    check(weight.rank() == 2, "[linear] expected a weight (out,in), got {}", weight.shape());
    check(x.rank() >= 1 && x.size(-1) == weight.size(1), "[linear] expected x (…,{}) for a weight {}, got {}",
          weight.size(1), weight.shape(), x.shape());
    check(x.dtype() == weight.dtype(), "[linear] expected equal dtypes, got x {} and weight {}",
          name(x.dtype()), name(weight.dtype()));
    check_same_device("linear", x, weight);
    if (bias.defined()) {
        check(bias.shape() == Shape{weight.size(0)}, "[linear] expected a bias ({}) for a weight {}, got {}",
              weight.size(0), weight.shape(), bias.shape());
        check(bias.dtype() == x.dtype(), "[linear] expected equal dtypes, got x {} and bias {}",
              name(x.dtype()), name(bias.dtype()));
        check_same_device("linear", x, bias);
    }
    Shape shape = x.shape();
    shape[shape.rank() - 1] = weight.size(0);
    const int64_t in = weight.size(1), rows = Shape(x.shape().begin(), x.shape().end() - 1).numel();
    return reshape(linear_rows(reshape(x, {rows, in}), weight, bias), shape);
}

}  // namespace lily
