// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "framework/tensor.h"

namespace lily {

// reflect: 3 2 | 1 2 3 | 2 1      replicate: 1 1 | 1 2 3 | 3 3
enum class PadMode : uint8_t { constant, reflect, replicate };

// `padding` as in PyTorch: (before, after) of the last dimension, then of the one before it, …
// Constant padding may be negative, which cuts elements off.
Tensor pad(const Tensor& x, const std::vector<int64_t>& padding, PadMode mode = PadMode::constant,
           double value = 0);

}  // namespace lily
