// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// x[..., start:end:step, ...] along `dim`, copied (x itself, if that is all). As in Python, negative
// positions count from the end and positions beyond it are cut off.
Tensor slice(const Tensor& x, int64_t dim, int64_t start, int64_t end, int64_t step = 1);

}  // namespace lily
