// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// Rank 0, accumulated in double; x and target have one shape and any memory formats. As in PyTorch, the mean
// of nothing is NaN.
Tensor mse_loss(const Tensor& x, const Tensor& target);                    // mean of (x - target)²
Tensor sse_loss(const Tensor& x, const Tensor& target, double scale = 1);  // scale · Σ (x - target)²

enum class Reduction : uint8_t { none, mean, sum };

// Of logits: -target ln σ(x) - (1 - target) ln(1 - σ(x)); no x overflows. With Reduction::none in x's shape.
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target,
                                        Reduction reduction = Reduction::mean);
// The same target for all elements: 1 for "real", 0 for "fake".
Tensor binary_cross_entropy_with_logits(const Tensor& x, double target,
                                        Reduction reduction = Reduction::mean);

}  // namespace lily
