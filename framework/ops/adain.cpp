// SPDX-License-Identifier: MIT
#include "framework/ops/adain.h"

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/blocked.h"
#include "framework/ops/data_or_null.h"
#include "framework/ops/normal.h"
#include "framework/ops/shape.h"
#include "framework/ops/slice.h"
#include "kernels/adain/adain.h"

namespace lily {
namespace {

kernels::AdainShape adain_shape(const Tensor& x, double eps) {
    return {x.size(0) * x.size(1), x.size(2) * x.size(3), eps, channel_block(x.format())};
}

// x and the statistics of its planes, (3,N,C).
struct Normalised {
    Saved x, statistics;
    double eps;
};

// dx, ds, db by the kernel; ds and db only if wanted.
Gradients fused_gradient(const Backward& g, const Normalised& from, const Tensor& scale, bool style) {
    const Tensor& x = from.x();
    const Tensor dy = g.dy.to(x.format());
    const auto wanted = [&](size_t i) {
        return style && g.needs(i) ? empty({x.size(0), x.size(1)}, from.statistics().options()) : Tensor{};
    };
    Tensor dx = empty_like(x), ds = wanted(1), db = wanted(2);
    if (x.numel() > 0)
        visit_floating("adain", x.dtype(), [&](auto zero) {
            using T = decltype(zero);
            kernels::adain<T>(x.device())
                .backward(x.queue(), adain_shape(x, from.eps), x.data<T>(), data_or_null<T>(scale),
                          from.statistics().template data<T>(), dy.data<T>(), dx.mutable_data<T>(),
                          mutable_or_null<T>(ds), mutable_or_null<T>(db));
        });
    if (!style) return {dx};
    if (x.numel() == 0)
        for (Tensor* sum : {&ds, &db})
            if (sum->defined()) sum->fill_(0);
    return {g.needs(0) ? dx : Tensor{}, ds, db};
}

Tensor per_plane(const Tensor& v) { return reshape(v, {v.size(0), v.size(1), 1, 1}); }

// y without its graph, and what its gradient needs. scale and bias are both defined or neither.
Tensor run(const Tensor& x, const Tensor& scale, const Tensor& bias, double eps, Normalised& saved) {
    Tensor y = empty_like(x),
           statistics = empty({3, x.size(0), x.size(1)}, {.dtype = x.dtype(), .device = x.device()});
    if (x.numel() > 0)
        visit_floating("adain", x.dtype(), [&](auto zero) {
            using T = decltype(zero);
            kernels::adain<T>(x.device())
                .forward(x.queue(), adain_shape(x, eps), x.data<T>(), data_or_null<T>(scale),
                         data_or_null<T>(bias), y.mutable_data<T>(), statistics.mutable_data<T>());
        });
    saved = {Saved(x), Saved(statistics), eps};
    return y;
}

const Dims kPlane{2, 3};

Normal normalised(const Tensor& x, double eps);

// y = (x - μ) r with its graph, and what its gradient needs.
Tensor normalise(const Tensor& x, double eps, Normalised& saved) {
    const Tensor y = run(x, {}, {}, eps, saved);
    return record("instance_norm", y, {x}, [saved](const Backward& g) {
        if (!grad_enabled()) return fused_gradient(g, saved, {}, false);
        return Gradients{normal_gradient(g.dy, normalised(saved.x(), saved.eps), kPlane)};
    });
}

Normal normalised(const Tensor& x, double eps) {
    Normalised saved;
    const Tensor y = normalise(x, eps, saved);
    const Tensor r = reshape(slice(saved.statistics(), 0, 2, 3), {x.size(0), x.size(1), 1, 1});
    return {y, reciprocal_deviation(x, r, [eps](const Tensor& again) { return normalised(again, eps); })};
}

// The same with ops.
Gradients composed_gradient(const Backward& g, const Normalised& from, const Tensor& scale) {
    const Normal normal = normalised(from.x(), from.eps);
    return {g.needs(0) ? per_plane(1 + scale) * normal_gradient(g.dy, normal, kPlane) : Tensor{},
            g.needs(1) ? sum(g.dy * normal.x_hat, kPlane) : Tensor{},
            g.needs(2) ? sum(g.dy, kPlane) : Tensor{}};
}

void check_input(const char* op, const Tensor& x, double eps) {
    check(x.rank() == 4, "[{}] expected (N,C,H,W), got {}", op, x.shape());
    check(eps >= 0, "[{}] expected eps >= 0, got {}", op, eps);
}

}  // namespace

Tensor instance_norm(const Tensor& given, double eps) {
    check_input("instance_norm", given, eps);
    Normalised saved;
    return normalise(blocked_or_contiguous(given), eps, saved);
}

Tensor adain(const Tensor& given, const Tensor& scale, const Tensor& bias, double eps) {
    check_input("adain", given, eps);
    for (const auto& [name_of, t] : {std::pair{"scale", &scale}, {"bias", &bias}}) {
        check(t->shape() == Shape{given.size(0), given.size(1)},
              "[adain] expected a {} ({},{}) for x {}, got {}", name_of, given.size(0), given.size(1),
              given.shape(), t->shape());
        check(t->dtype() == given.dtype(), "[adain] expected equal dtypes, got x {} and {} {}",
              name(given.dtype()), name_of, name(t->dtype()));
        check_same_device("adain", given, *t);
    }
    const Tensor x = blocked_or_contiguous(given);
    Normalised saved;
    const Tensor y = run(x, scale, bias, eps, saved);
    return record("adain", y, {x, scale, bias},
                  [saved, scale = Saved(scale)](const Backward& g) {  // y = instance_norm(x) (1 + s) + b
                      if (grad_enabled()) return composed_gradient(g, saved, scale());
                      return fused_gradient(g, saved, scale(), true);
                  });
}

}  // namespace lily
