// SPDX-License-Identifier: MIT
#include "framework/ops/normal.h"

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"

namespace lily {

Tensor reciprocal_deviation(const Tensor& x, const Tensor& r, const Normalise& again) {
    return record("reciprocal_deviation", r.detach(), {x}, [x = Saved(x), again](const Backward& g) {
        const Normal normal = again(x());  // r = (Σ (x - μ)² / m + ε)^-½, dr/dx = -r² x̂ / m
        const double m = static_cast<double>(x().numel()) / static_cast<double>(g.dy.numel());
        return Gradients{-(g.dy * normal.r * normal.r / m) * normal.x_hat};
    });
}

Tensor normal_gradient(const Tensor& dy, const Normal& normal, const Dims& dims) {
    // centred twice: the first mean is rounded to dy's dtype
    const Tensor nearly = dy - mean(dy, dims, true), centred = nearly - mean(nearly, dims, true);
    return normal.r * (centred - normal.x_hat * mean(centred * normal.x_hat, dims, true));
}

}  // namespace lily
