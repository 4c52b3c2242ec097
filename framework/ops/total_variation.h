// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// Σ |x[..,h+1,w] - x[..,h,w]| + Σ |x[..,h,w+1] - x[..,h,w]| of (N,C,H,W), rank 0; equal neighbours: gradient
// 0.
Tensor total_variation(const Tensor& x);

}  // namespace lily
