// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// The slices of x at positions index (i64, a vector) of dimension `dim`, in that order, repeated ones too. On
// a GPU an index outside gives NaN.
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);

}  // namespace lily
