// SPDX-License-Identifier: MIT
#include "framework/ops/layer_norm.h"

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/data_or_null.h"
#include "framework/ops/normal.h"
#include "framework/ops/shape.h"
#include "framework/ops/slice.h"
#include "kernels/layer_norm/layer_norm.h"

namespace lily {
namespace {

// x (rows,n) and its rows' statistics (3,rows).
struct Normalised {
    Saved x, statistics;
    double eps;
};

kernels::LayerNormShape shape_of(const Tensor& x, double eps) { return {x.size(0), x.size(1), eps}; }

Normal normalised(const Tensor& x, double eps);

// dx, dweight and dbias, as far as they are wanted, by the kernel.
Gradients fused_gradient(const Backward& g, const Normalised& from, const Tensor& weight) {
    const Tensor &x = from.x(), dy = g.dy.contiguous();
    const auto wanted = [&](size_t i) {
        return g.needs(i) ? zeros({x.size(1)}, from.statistics().options()) : Tensor{};
    };
    Tensor dx = g.needs(0) ? empty_like(x) : Tensor{}, dweight = wanted(1), dbias = wanted(2);
    if (x.numel() > 0)
        visit_floating("layer_norm", x.dtype(), [&](auto zero) {
            using T = decltype(zero);
            kernels::layer_norm<T>(x.device())
                .backward(x.queue(), shape_of(x, from.eps), x.data<T>(), data_or_null<T>(weight),
                          from.statistics().template data<T>(), dy.data<T>(), mutable_or_null<T>(dx),
                          mutable_or_null<T>(dweight), mutable_or_null<T>(dbias));
        });
    return {dx, dweight, dbias};
}

// The same with ops.
Gradients composed_gradient(const Backward& g, const Normalised& from, const Tensor& weight) {
    const Normal normal = normalised(from.x(), from.eps);
    return {g.needs(0) ? normal_gradient(weight.defined() ? g.dy * weight : g.dy, normal, {1}) : Tensor{},
            g.needs(1) ? sum(g.dy * normal.x_hat, {0}) : Tensor{}, g.needs(2) ? sum(g.dy, {0}) : Tensor{}};
}

// y = x̂ w + b of x (rows,n); `statistics` of its rows too, for the gradient.
Tensor run(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps, Tensor& statistics) {
    Tensor y = empty_like(x);
    statistics = empty({3, x.size(0)}, x.options());
    if (x.numel() > 0)
        visit_floating("layer_norm", x.dtype(), [&](auto zero) {
            using T = decltype(zero);
            kernels::layer_norm<T>(x.device())
                .forward(x.queue(), shape_of(x, eps), x.data<T>(), data_or_null<T>(weight),
                         data_or_null<T>(bias), y.mutable_data<T>(), statistics.mutable_data<T>());
        });
    return record(
        "layer_norm", y, {x, weight, bias},
        [saved = Normalised{Saved(x), Saved(statistics), eps}, weight = saved_if(weight.defined(), weight),
         has_weight = weight.defined()](const Backward& g) {
            const Tensor w = has_weight ? weight() : Tensor{};
            return grad_enabled() ? composed_gradient(g, saved, w) : fused_gradient(g, saved, w);
        });
}

Normal normalised(const Tensor& x, double eps) {
    Tensor statistics;
    const Tensor x_hat = run(x, {}, {}, eps, statistics);
    const Tensor r = reshape(slice(statistics, 0, 2, 3), {x.size(0), 1});
    return {x_hat, reciprocal_deviation(x, r, [eps](const Tensor& again) { return normalised(again, eps); })};
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight, const Tensor& bias,
                  double eps) {
    const int64_t rank = normalized_shape.rank(), outer = x.rank() - rank;
    check(rank > 0 && outer >= 0 && Shape(x.shape().begin() + outer, x.shape().end()) == normalized_shape,
          "[layer_norm] expected x (…) that ends in normalized_shape {}, got {}", normalized_shape,
          x.shape());
    check(eps >= 0, "[layer_norm] expected eps >= 0, got {}", eps);
    const int64_t n = normalized_shape.numel();
    const auto flat = [&](const char* what, const Tensor& t) {
        if (!t.defined()) return t;
        check(t.shape() == normalized_shape, "[layer_norm] expected a {} {}, got {}", what, normalized_shape,
              t.shape());
        check(t.dtype() == x.dtype(), "[layer_norm] expected equal dtypes, got x {} and {} {}",
              name(x.dtype()), what, name(t.dtype()));
        check_same_device("layer_norm", x, t);
        return reshape(t, {n});
    };
    int64_t rows = 1;
    for (int64_t d = 0; d < outer; ++d) rows *= x.size(d);
    Tensor statistics;
    const Tensor w = flat("weight", weight), b = flat("bias", bias);
    return reshape(run(reshape(x, {rows, n}).contiguous(), w, b, eps, statistics), x.shape());
}

}  // namespace lily
