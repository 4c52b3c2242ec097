// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// (…,M,K) x (…,K,N) -> (…,M,N); the leading, batch dimensions broadcast. As in PyTorch, an operand of rank 1
// is a row on the left, a column on the right, and its dimension is left out of the result.
Tensor matmul(const Tensor& a, const Tensor& b);
Tensor bmm(const Tensor& a, const Tensor& b);  // (B,M,K) x (B,K,N) -> (B,M,N)

// op(A) op(B) with the last two dimensions of either exchanged, read in place; operands of rank 2 or more.
enum class Transposed : bool { no, yes };
Tensor matmul(const Tensor& a, Transposed transpose_a, const Tensor& b, Transposed transpose_b);

}  // namespace lily
