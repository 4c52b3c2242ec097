// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// x / max(‖x‖, eps) of each vector along `dim`, ‖x‖ = √Σ x². A vector shorter than eps has the gradient of
// x / eps, zeros included. Squares must be in the range of the dtype: in f32, |x| < 1e19.
Tensor normalize(const Tensor& x, int64_t dim, double eps = 1e-12);

}  // namespace lily
