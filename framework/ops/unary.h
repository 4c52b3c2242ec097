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
// else it is gradient(v, dy), the kernel's formula written with ops, with v = x, y, or dy where it needs
// neither.
Tensor unary(const char* op, kernels::Unary f, kernels::UnaryArguments args, const Tensor& x, SlopeUses uses,
             std::function<Tensor(const Tensor& v, const Tensor& dy)> gradient);

// Constants, from a ReLU's output y, and from a leaky ReLU's input or output v.
Tensor is_positive(const Tensor& v);                         // [v > 0]
Tensor is_not_cut_off(const Tensor& y);                      // 0 where y <= 0, else 1: of NaN too
Tensor leaky_slope(const Tensor& v, double negative_slope);  // 1 where v > 0, else negative_slope

}  // namespace lily
