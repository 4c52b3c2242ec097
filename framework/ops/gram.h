// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// Gram matrices of feature maps: (N,C,H,W) -> scale · F Fᵀ (N,C,C), F = (C, H·W). Blocked maps stay as they
// are.
Tensor gram(const Tensor& f, double scale = 1);

}  // namespace lily
