// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// Gram matrices of feature maps: (N,C,H,W) -> scale · F Fᵀ (N,C,C), F = (C, H·W). Blocked maps stay as they
// are.
Tensor gram(const Tensor& f, double scale = 1);

// weight Σ (gram(features, scale) - target)², rank 0, in one pass over the features: how far a style is.
Tensor gram_loss(const Tensor& features, const Tensor& target, double scale = 1, double weight = 1);

}  // namespace lily
