// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);  // gradient at 0: inf, as in PyTorch
Tensor abs(const Tensor& x);   // gradient at 0: 0
Tensor sign(const Tensor& x);  // gradient 0 everywhere
Tensor square(const Tensor& x);
Tensor reciprocal(const Tensor& x);
Tensor pow(const Tensor& x, double exponent);
Tensor clamp(const Tensor& x, double low, double high);  // gradient 1 on the limits

}  // namespace lily
