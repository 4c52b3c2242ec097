// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "framework/tensor.h"

namespace lily {

// Dimensions to reduce: negative ones count from the end, and none are all, as in PyTorch.
using Dims = std::vector<int64_t>;

Tensor sum(const Tensor& x);  // of all elements, rank 0
Tensor mean(const Tensor& x);
Tensor sum(const Tensor& x, const Dims& dims, bool keepdim = false);
Tensor mean(const Tensor& x, const Dims& dims, bool keepdim = false);
Tensor amax(const Tensor& x, const Dims& dims, bool keepdim = false);  // ties share the gradient evenly
Tensor argmax(const Tensor& x, int64_t dim, bool keepdim = false);     // i64; the first of equals

// Sums over the dimensions along which `shape` was broadcast to x's: the gradient of broadcasting.
Tensor sum_to(const Tensor& x, const Shape& shape);

}  // namespace lily
