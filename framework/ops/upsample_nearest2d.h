// SPDX-License-Identifier: MIT
#pragma once

#include <array>

#include "framework/tensor.h"

namespace lily {

// x (N,C,H,W) -> (N, C, factor[0]·H, factor[1]·W), every position repeated: PyTorch's
// interpolate(x, scale_factor=factor, mode="nearest") for whole factors. Any memory format.
Tensor upsample_nearest2d(const Tensor& x, std::array<int64_t, 2> factor);

}  // namespace lily
