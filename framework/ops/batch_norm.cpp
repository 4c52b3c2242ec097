// SPDX-License-Identifier: MIT
#include "framework/ops/batch_norm.h"

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/data_or_null.h"
#include "framework/ops/pointwise.h"
#include "framework/ops/reduce.h"
#include "framework/ops/shape.h"
#include "kernels/batch_norm/batch_norm.h"

namespace lily {
namespace {

kernels::BatchNormShape shape_of(const Tensor& x, double eps) {
    int64_t inner = 1;
    for (int64_t d = 2; d < x.rank(); ++d) inner *= x.size(d);
    return {x.size(0), x.size(1), inner, eps};
}

void check_channels(const Tensor& x, const Tensor& other, const char* what) {
    if (!other.defined()) return;
    check(other.shape() == Shape{x.size(1)}, "[batch_norm] expected {} ({}) for x {}, got {}", what,
          x.size(1), x.shape(), other.shape());
    check(other.dtype() == x.dtype(), "[batch_norm] expected equal dtypes, got x {} and {} {}",
          name(x.dtype()), what, name(other.dtype()));
    check_same_device("batch_norm", x, other);
}

// What the backward pass uses. In training, mean and rstd are functions of x; else constants.
struct Normalised {
    Saved x, weight, mean, rstd;
    bool training, has_weight;
    double eps;

    Gradients fused(const Backward& g) const {
        const Tensor& from = x();
        const Tensor dy = g.dy.contiguous(), w = has_weight ? weight() : Tensor{};
        Tensor dx = g.needs(0) ? empty_like(from) : Tensor{}, dw = g.needs(1) ? empty_like(mean()) : Tensor{},
               db = g.needs(2) ? empty_like(mean()) : Tensor{};
        visit_floating("batch_norm", from.dtype(), [&](auto zero) {
            using T = decltype(zero);
            kernels::batch_norm<T>(from.device())
                .backward(from.queue(), shape_of(from, eps), !training, from.data<T>(), data_or_null<T>(w),
                          mean().data<T>(), rstd().data<T>(), dy.data<T>(), mutable_or_null<T>(dx),
                          mutable_or_null<T>(dw), mutable_or_null<T>(db));
        });
        return {dx, dw, db};
    }

    // The formulas of kernels/batch_norm/batch_norm.h, of ops.
    Gradients composed(const Backward& g) const {
        Dims all{0};
        Shape channels{1, x().size(1)};
        for (int64_t d = 2; d < x().rank(); ++d) all.push_back(d), channels.push_back(1);
        const Tensor center = training ? lily::mean(x(), all, true) : reshape(mean(), channels);
        const Tensor r = training ? reciprocal(sqrt(lily::mean(square(x() - center), all, true) + eps))
                                  : reshape(rstd(), channels);
        const Tensor normal = (x() - center) * r;
        const Tensor scale = has_weight ? r * reshape(weight(), channels) : r;
        Gradients result(3);
        if (g.needs(0))
            result[0] = scale * (training ? g.dy - lily::mean(g.dy, all, true) -
                                                normal * lily::mean(g.dy * normal, all, true)
                                          : g.dy);
        if (g.needs(1)) result[1] = sum(g.dy * normal, all);
        if (g.needs(2)) result[2] = sum(g.dy, all);
        return result;
    }
};

}  // namespace

Tensor batch_norm(const Tensor& input, Tensor running_mean, Tensor running_var, const Tensor& weight,
                  const Tensor& bias, BatchNormOptions options) {
    check(input.rank() >= 2, "[batch_norm] expected (N,C,…), got {}", input.shape());
    check_channels(input, weight, "weight");
    check_channels(input, bias, "bias");
    check_channels(input, running_mean, "running_mean");
    check_channels(input, running_var, "running_var");
    check(running_mean.defined() == running_var.defined(),
          "[batch_norm] expected both running statistics or none");
    check(options.training || running_mean.defined(),
          "[batch_norm] expected running statistics: not training");
    check(options.eps > 0, "[batch_norm] expected eps > 0, got {}", options.eps);

    const Tensor x = input.contiguous();
    const kernels::BatchNormShape s = shape_of(x, options.eps);
    check(!options.training || s.n * s.inner > 1,
          "[batch_norm] expected more than one value per channel when training, got {}", x.shape());
    Tensor y = empty_like(x), rstd = empty({s.channels}, {.dtype = x.dtype(), .device = x.device()});
    Tensor mean = options.training ? empty_like(rstd) : running_mean;
    visit_floating("batch_norm", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        const auto& k = kernels::batch_norm<T>(x.device());
        const T *w = data_or_null<T>(weight), *b = data_or_null<T>(bias);
        if (options.training)
            k.train(x.queue(), s, options.momentum, x.data<T>(), w, b, mutable_or_null<T>(running_mean),
                    mutable_or_null<T>(running_var), mean.mutable_data<T>(), rstd.mutable_data<T>(),
                    y.mutable_data<T>());
        else
            k.eval(x.queue(), s, x.data<T>(), w, b, mean.data<T>(), running_var.data<T>(),
                   rstd.mutable_data<T>(), y.mutable_data<T>());
    });
    return record("batch_norm", y, {x, weight, bias},
                  [saved = Normalised{Saved(x), saved_if(weight.defined(), weight), Saved(mean), Saved(rstd),
                                      options.training, weight.defined(), options.eps}](const Backward& g) {
                      return grad_enabled() ? saved.composed(g) : saved.fused(g);
                  });
}

}  // namespace lily
