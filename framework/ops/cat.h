// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "framework/tensor.h"

namespace lily {

// The tensors one after the other along `dim`; all other sizes, and the dtypes, must agree.
Tensor cat(const std::vector<Tensor>& xs, int64_t dim);
// Tensors of one shape along a new dimension `dim`.
Tensor stack(const std::vector<Tensor>& xs, int64_t dim);

}  // namespace lily
