// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// a where the condition is not 0, b elsewhere; the three are broadcast, a and b of one dtype. The condition
// is a constant: u8, as comparisons of i64 give, or of a's dtype, as comparisons of floats give. Gradients
// are selected too: where the other tensor was taken they are 0, even if dL/dy is infinite there.
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

// x, but `value` where the mask is not 0.
Tensor masked_fill(const Tensor& x, const Tensor& mask, double value);

}  // namespace lily
