// SPDX-License-Identifier: MIT
// What the recorded gradients of batch_norm, instance_norm and adain share: x̂ = (x - μ) r and
// r = 1 / √(Σ (x - μ)² / m + ε), both with their graphs.
#pragma once

#include <functional>

#include "framework/ops/reduce.h"

namespace lily {

struct Normal {
    Tensor x_hat, r;  // r with sizes of 1 along the dimensions that it is of
};
// The same again, for the gradient of the gradient.
using Normalise = std::function<Normal(const Tensor& x)>;

// r, which a kernel has computed, as a function of x.
Tensor reciprocal_deviation(const Tensor& x, const Tensor& r, const Normalise& again);

// dx = r (dy - mean(dy) - x̂ mean(dy x̂)) of y = x̂
Tensor normal_gradient(const Tensor& dy, const Normal& normal, const Dims& dims);

}  // namespace lily
