// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// x normalised to mean 0 and variance 1 over its last dimensions, which are `normalized_shape`, then times
// weight plus bias of that shape (each may be undefined). The bits of a row depend on that row alone.
Tensor layer_norm(const Tensor& x, const Shape& normalized_shape, const Tensor& weight = {},
                  const Tensor& bias = {}, double eps = 1e-5);

}  // namespace lily
