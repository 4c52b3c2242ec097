// SPDX-License-Identifier: MIT
#include "framework/ops/loss.h"

#include "framework/autograd.h"
#include "framework/ops/activation.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/data_or_null.h"
#include "kernels/loss/loss.h"

namespace lily {
namespace {

using kernels::LossScale;

Gradients squared_error_backward(const Backward& g, const Tensor& x, const Tensor& t, LossScale scale) {
    Tensor dx = g.needs(0) ? empty_like(x) : Tensor{}, dt = g.needs(1) ? empty_like(t) : Tensor{};
    visit_floating("squared_error", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::loss<T>(x.device())
            .squared_error_backward(x.queue(), x.numel(), scale, x.data<T>(), t.data<T>(), g.dy.data<T>(),
                                    mutable_or_null<T>(dx), mutable_or_null<T>(dt));
    });
    return {dx, dt};
}

void check_alike(const char* op, const Tensor& x, const Tensor& target) {
    check(x.shape() == target.shape(), "[{}] expected equal shapes, got {} and {}", op, x.shape(),
          target.shape());
    check(x.dtype() == target.dtype(), "[{}] expected equal dtypes, got {} and {}", op, name(x.dtype()),
          name(target.dtype()));
    check_same_device(op, x, target);
}

Tensor squared_error(const char* op, const Tensor& x, const Tensor& target, LossScale scale) {
    check_alike(op, x, target);
    const Tensor t = target.to(x.format());
    Tensor y = empty({}, {.dtype = x.dtype(), .device = x.device()});
    visit_floating(op, x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::loss<T>(x.device())
            .squared_error(x.queue(), x.numel(), scale, x.data<T>(), t.data<T>(), y.mutable_data<T>());
    });
    return record("squared_error", y, {x, t}, [x = Saved(x), t = Saved(t), scale](const Backward& g) {
        if (!grad_enabled()) return squared_error_backward(g, x(), t(), scale);
        // y = scale Σ (x - t)² / count
        const Tensor dx = (2 * scale.scale * g.dy / scale.count) * (x() - t());
        return Gradients{g.needs(0) ? dx : Tensor{}, g.needs(1) ? -dx : Tensor{}};
    });
}

constexpr const char* kBce = "binary_cross_entropy_with_logits";

// The target is t or, where that is undefined, a constant.
struct BceTarget {
    Tensor t = {};
    double constant = 0;

    template <class T>
    kernels::Target<T> of() const {
        return {data_or_null<T>(t), static_cast<T>(constant)};
    }
};

Gradients bce_backward(const Backward& g, const Tensor& x, const BceTarget& target, double count) {
    const bool each = g.dy.rank() > 0;
    const Tensor dy = each ? g.dy.to(x.format()) : g.dy;
    Tensor dx = g.needs(0) ? empty_like(x) : Tensor{}, dt = g.needs(1) ? empty_like(x) : Tensor{};
    visit_floating(kBce, x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::loss<T>(x.device())
            .bce_with_logits_backward(x.queue(), x.numel(), count, x.data<T>(), target.of<T>(), dy.data<T>(),
                                      each ? 1 : 0, mutable_or_null<T>(dx), mutable_or_null<T>(dt));
    });
    return {dx, dt};
}

Tensor bce(const Tensor& x, const BceTarget& target, Reduction reduction) {
    const bool each = reduction == Reduction::none;
    const double count = reduction == Reduction::mean ? static_cast<double>(x.numel()) : 1;
    Tensor y = each ? empty_like(x) : empty({}, {.dtype = x.dtype(), .device = x.device()});
    visit_floating(kBce, x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        const auto& k = kernels::loss<T>(x.device());
        if (each)
            k.bce_with_logits_each(x.queue(), x.numel(), x.data<T>(), target.of<T>(), y.mutable_data<T>());
        else
            k.bce_with_logits(x.queue(), x.numel(), count, x.data<T>(), target.of<T>(), y.mutable_data<T>());
    });
    const bool constant = !target.t.defined();
    return record(
        "binary_cross_entropy_with_logits", y, {x, target.t},
        [x = Saved(x), t = saved_if(!constant, target.t), constant, target = target.constant,
         count](const Backward& g) {
            const BceTarget saved{constant ? Tensor{} : t(), target};
            if (!grad_enabled()) return bce_backward(g, x(), saved, count);
            const Tensor slope = g.dy / count, y = sigmoid(x());  // dx = slope (σ(x) - t)
            const Tensor error = constant ? y - target : y - t();
            return Gradients{g.needs(0) ? slope * error : Tensor{}, g.needs(1) ? slope * -x() : Tensor{}};
        });
}

}  // namespace

Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, Reduction reduction) {
    check_alike(kBce, x, target);
    return bce(x, {.t = target.to(x.format())}, reduction);
}
Tensor binary_cross_entropy_with_logits(const Tensor& x, double target, Reduction reduction) {
    return bce(x, {.constant = target}, reduction);
}

Tensor mse_loss(const Tensor& x, const Tensor& target) {
    return squared_error("mse_loss", x, target, {.count = static_cast<double>(x.numel())});
}
Tensor sse_loss(const Tensor& x, const Tensor& target, double scale) {
    return squared_error("sse_loss", x, target, {.scale = scale});
}

}  // namespace lily
