// SPDX-License-Identifier: MIT
// What pointwise.cpp, activation.cpp and the ops with an activation inside share: a function of one tensor
// with its two backward forms.
#pragma once

#include <functional>

#include "framework/autograd.h"
#include "kernels/elementwise/elementwise.h"

namespace lily {

// What f' is computed from: the input, the output, or neither.
enum class SlopeUses { nothing, x, y };

// y = f(x), any memory format. When no graph of the gradient is asked for, dx = f'(x) dy is one fused kernel;
// else it is dy · slope(v), with v = x or y and slope written with ops; a slope without gradient is a mask,
// which selects: 0 where it is 0, even if dy is infinite.
Tensor unary(const char* op, kernels::Unary f, kernels::UnaryArguments args, const Tensor& x, SlopeUses uses,
             std::function<Tensor(const Tensor& v)> slope);

// [v > 0], a constant: the slope of a ReLU, from its input or its output.
Tensor is_positive(const Tensor& v);

}  // namespace lily
