// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily::optim {

// x ← x + weight (end - x), in place and outside of the graph, in one pass: a step of a running average, such
// as that of a generator's weights. Tensors of one shape, dtype and device.
void lerp_(Tensor& x, const Tensor& end, double weight);

}  // namespace lily::optim
