// SPDX-License-Identifier: MIT
#include "framework/ops/gram.h"

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/matmul.h"
#include "framework/ops/shape.h"
#include "kernels/gram/gram.h"

namespace lily {
namespace {

kernels::GramShape gram_shape(const Tensor& f, double scale) {
    return {.n = f.size(0),
            .channels = f.size(1),
            .positions = f.size(2) * f.size(3),
            .block = channel_block(f.format()),
            .scale = scale};
}

Tensor gram_backward(const Tensor& f, const Tensor& dg, double scale) {
    Tensor df = empty_like(f);
    visit_floating("gram", f.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::gram<T>(f.device())
            .backward(f.queue(), gram_shape(f, scale), f.data<T>(), dg.data<T>(), df.mutable_data<T>());
    });
    return df;
}

Tensor plain(const Tensor& f) { return f.format() == MemoryFormat::channels_last ? f.contiguous() : f; }

// dF of y = weight Σ D²
Tensor distance_backward(const Tensor& f, const Tensor& difference, const Tensor& dy, double scale,
                         double weight) {
    Tensor df = empty_like(f);
    visit_floating("gram_loss", f.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::gram<T>(f.device())
            .distance_backward(f.queue(), gram_shape(f, scale), weight, f.data<T>(), difference.data<T>(),
                               dy.data<T>(), df.mutable_data<T>());
    });
    return df;
}

}  // namespace

Tensor gram_loss(const Tensor& features, const Tensor& target, double scale, double weight) {
    check(features.rank() == 4, "[gram_loss] expected (N,C,H,W), got {}", features.shape());
    const Shape matrices{features.size(0), features.size(1), features.size(1)};
    check(target.shape() == matrices, "[gram_loss] expected a target {} for features {}, got {}", matrices,
          features.shape(), target.shape());
    check(target.dtype() == features.dtype(), "[gram_loss] expected equal dtypes, got {} and {}",
          name(features.dtype()), name(target.dtype()));
    check_same_device("gram_loss", features, target);
    const Tensor f = plain(features);
    const TensorOptions options{.dtype = f.dtype(), .device = f.device()};
    Tensor y = empty({}, options), difference = empty(matrices, options);
    visit_floating("gram_loss", f.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::gram<T>(f.device())
            .distance(f.queue(), gram_shape(f, scale), weight, f.data<T>(), target.data<T>(),
                      difference.mutable_data<T>(), y.mutable_data<T>());
    });
    return record("gram_loss", y, {f, target},
                  [f = Saved(f), target = saved_if(f.requires_grad() || target.requires_grad(), target),
                   difference, scale, weight](const Backward& g) {  // y = weight Σ (scale F Fᵀ - A)²
                      const auto distance = [&](const Tensor& d) { return (2 * weight * g.dy) * d; };
                      if (!grad_enabled())
                          return Gradients{
                              g.needs(0) ? distance_backward(f(), difference, g.dy, scale, weight) : Tensor{},
                              g.needs(1) ? -distance(difference) : Tensor{}};
                      const Tensor map = flatten(f(), 2), slope = distance(gram(f(), scale) - target());
                      const Tensor both = scale * (slope + transpose(slope, 1, 2));
                      return Gradients{g.needs(0) ? reshape(matmul(both, map), f().shape()) : Tensor{},
                                       g.needs(1) ? -slope : Tensor{}};
                  });
}

Tensor gram(const Tensor& features, double scale) {
    check(features.rank() == 4, "[gram] expected (N,C,H,W), got {}", features.shape());
    const Tensor f = plain(features);
    Tensor g = empty({f.size(0), f.size(1), f.size(1)}, {.dtype = f.dtype(), .device = f.device()});
    visit_floating("gram", f.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::gram<T>(f.device())
            .forward(f.queue(), gram_shape(f, scale), f.data<T>(), g.mutable_data<T>());
    });
    return record("gram", g, {f}, [f = Saved(f), scale](const Backward& b) {  // G = scale F Fᵀ
        if (!grad_enabled()) return Gradients{gram_backward(f(), b.dy, scale)};
        const Tensor slope = scale * (b.dy + transpose(b.dy, 1, 2));
        return Gradients{reshape(matmul(slope, flatten(f(), 2)), f().shape())};
    });
}

}  // namespace lily
