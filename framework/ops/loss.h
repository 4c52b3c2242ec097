// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// Rank 0, accumulated in double; x and target have one shape and any memory formats. As in PyTorch, the mean
// of nothing is NaN.
Tensor mse_loss(const Tensor& x, const Tensor& target);                    // mean of (x - target)²
Tensor sse_loss(const Tensor& x, const Tensor& target, double scale = 1);  // scale · Σ (x - target)²

}  // namespace lily
