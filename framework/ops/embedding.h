// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// Rows of weight (rows, width): index (…), i64 in [0, rows) -> (…, width). On a GPU an index outside gives
// NaN.
Tensor embedding(const Tensor& index, const Tensor& weight);

}  // namespace lily
