// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// Gradients at kinks, poles and NaN: docs/kinks.md.
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor rsqrt(const Tensor& x);  // 1 / √x
Tensor erf(const Tensor& x);
Tensor abs(const Tensor& x);
Tensor sign(const Tensor& x);  // of NaN: NaN
Tensor square(const Tensor& x);
Tensor reciprocal(const Tensor& x);
Tensor pow(const Tensor& x, double exponent);
Tensor clamp(const Tensor& x, double low, double high);

}  // namespace lily
