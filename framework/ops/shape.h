// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "framework/tensor.h"

namespace lily {

Tensor reshape(const Tensor& x, const Shape& shape);  // shares memory; one size may be -1
Tensor flatten(const Tensor& x, int64_t start_dim = 0, int64_t end_dim = -1);
Tensor unsqueeze(const Tensor& x, int64_t dim);
Tensor squeeze(const Tensor& x, int64_t dim);  // x itself where that dimension is not 1, as in PyTorch

// These copy, but for what is as wanted already.
Tensor expand(const Tensor& x, const Shape& shape);  // repeats along broadcast dimensions
Tensor permute(const Tensor& x, const std::vector<int64_t>& order);
Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);
Tensor flip(const Tensor& x, const std::vector<int64_t>& dims);  // the other way round along each of dims

}  // namespace lily
