// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

Tensor softmax(const Tensor& x, int64_t dim);      // exp(x) / Σ exp(x), without overflow
Tensor log_softmax(const Tensor& x, int64_t dim);  // x - ln Σ exp(x)

}  // namespace lily
