// SPDX-License-Identifier: MIT
#include "framework/ops/batch_norm.h"

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/blocked.h"
#include "framework/ops/data_or_null.h"
#include "framework/ops/normal.h"
#include "framework/ops/shape.h"
#include "framework/ops/slice.h"
#include "kernels/batch_norm/batch_norm.h"

namespace lily {
namespace {

kernels::BatchNormShape shape_of(const Tensor& x, double eps) {
    int64_t inner = 1;
    for (int64_t d = 2; d < x.rank(); ++d) inner *= x.size(d);
    return {x.size(0), x.size(1), inner, eps, channel_block(x.format())};
}

void check_channels(const Tensor& x, const Tensor& other, const char* what) {
    if (!other.defined()) return;
    check(other.shape() == Shape{x.size(1)}, "[batch_norm] expected {} ({}) for x {}, got {}", what,
          x.size(1), x.shape(), other.shape());
    check(other.dtype() == x.dtype(), "[batch_norm] expected equal dtypes, got x {} and {} {}",
          name(x.dtype()), what, name(other.dtype()));
    check_same_device("batch_norm", x, other);
}

// One number per channel, to be broadcast over x.
Tensor per_channel(const Tensor& v, const Tensor& x) {
    Shape channels{1, x.size(1)};
    for (int64_t d = 2; d < x.rank(); ++d) channels.push_back(1);
    return reshape(v, channels);
}

// Of the statistics that a kernel leaves.
enum Row : int64_t { kMean = 0, kRstd = 2 };
Tensor row_of(const Tensor& statistics, Row row, const Tensor& x) {
    return per_channel(slice(statistics, 0, row, row + 1), x);
}

Dims all_but_channels(const Tensor& x) {
    Dims dims{0};
    for (int64_t d = 2; d < x.rank(); ++d) dims.push_back(d);
    return dims;
}

// x̂ and r of a batch's own statistics
Normal normalised(const Tensor& x, double eps);

// What the backward pass uses. In training, the statistics are functions of x; else constants.
struct Normalised {
    Saved x, weight, statistics;
    bool training, has_weight;
    double eps;

    Gradients fused(const Backward& g) const {
        const Tensor& from = x();
        const Tensor dy = g.dy.to(from.format()), w = has_weight ? weight() : Tensor{};
        const TensorOptions options{.dtype = from.dtype(), .device = from.device()};
        Tensor dx = g.needs(0) ? empty_like(from) : Tensor{},
               dw = g.needs(1) ? empty({from.size(1)}, options) : Tensor{},
               db = g.needs(2) ? empty({from.size(1)}, options) : Tensor{};
        visit_floating("batch_norm", from.dtype(), [&](auto zero) {
            using T = decltype(zero);
            kernels::batch_norm<T>(from.device())
                .backward(from.queue(), shape_of(from, eps), !training, from.data<T>(), data_or_null<T>(w),
                          statistics().data<T>(), dy.data<T>(), mutable_or_null<T>(dx),
                          mutable_or_null<T>(dw), mutable_or_null<T>(db));
        });
        return {dx, dw, db};
    }

    // The formulas of kernels/batch_norm/batch_norm.h, of ops.
    Gradients composed(const Backward& g) const {
        const Tensor& from = x();
        const Dims dims = all_but_channels(from);
        const auto weighted = [&](const Tensor& t) {
            return has_weight ? t * per_channel(weight(), from) : t;
        };
        Gradients result(3);
        if (training && (g.needs(0) || g.needs(1))) {
            const Normal normal = normalised(from, eps);
            if (g.needs(0)) result[0] = weighted(normal_gradient(g.dy, normal, dims));
            if (g.needs(1)) result[1] = sum(g.dy * normal.x_hat, dims);
        } else {
            const Tensor r = row_of(statistics(), kRstd, from);
            if (g.needs(0)) result[0] = weighted(r) * g.dy;
            if (g.needs(1)) result[1] = sum(g.dy * ((from - row_of(statistics(), kMean, from)) * r), dims);
        }
        if (g.needs(2)) result[2] = sum(g.dy, dims);
        return result;
    }
};

// y with its graph, and the statistics behind it.
struct Result {
    Tensor y, statistics;
};
Result run(const Tensor& x, Tensor& running_mean, Tensor& running_var, const Tensor& weight,
           const Tensor& bias, const BatchNormOptions& options) {
    const kernels::BatchNormShape s = shape_of(x, options.eps);
    Tensor y = empty_like(x), statistics = empty({3, s.channels}, {.dtype = x.dtype(), .device = x.device()});
    visit_floating("batch_norm", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        const auto& k = kernels::batch_norm<T>(x.device());
        const T *w = data_or_null<T>(weight), *b = data_or_null<T>(bias);
        if (options.training)
            k.train(x.queue(), s, options.momentum, x.data<T>(), w, b, mutable_or_null<T>(running_mean),
                    mutable_or_null<T>(running_var), statistics.mutable_data<T>(), y.mutable_data<T>());
        else
            k.eval(x.queue(), s, x.data<T>(), w, b, running_mean.data<T>(), running_var.data<T>(),
                   statistics.mutable_data<T>(), y.mutable_data<T>());
    });
    y = record("batch_norm", y, {x, weight, bias},
               [saved = Normalised{Saved(x), saved_if(weight.defined(), weight), Saved(statistics),
                                   options.training, weight.defined(), options.eps}](const Backward& g) {
                   return grad_enabled() ? saved.composed(g) : saved.fused(g);
               });
    return {y, statistics};
}

Normal normalised(const Tensor& x, double eps) {
    Tensor none;
    const auto [y, statistics] = run(x, none, none, {}, {}, {.training = true, .eps = eps});
    return {y, reciprocal_deviation(x, row_of(statistics, kRstd, x),
                                    [eps](const Tensor& again) { return normalised(again, eps); })};
}

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

    const Tensor x = blocked_or_contiguous(input);
    const kernels::BatchNormShape s = shape_of(x, options.eps);
    check(!options.training || s.n * s.inner > 1,
          "[batch_norm] expected more than one value per channel when training, got {}", x.shape());
    return run(x, running_mean, running_var, weight, bias, options).y;
}

}  // namespace lily
