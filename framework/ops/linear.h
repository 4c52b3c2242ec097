// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// x Wᵀ + b: x (…,in), weight (out,in), bias (out) or undefined -> (…,out).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

// relu(linear(…)), leaky_relu(linear(…), negative_slope) and tanh(linear(…)) in one kernel, and the gradients
// of both in one. negative_slope >= 0.
Tensor linear_relu(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
Tensor linear_leaky_relu(const Tensor& x, const Tensor& weight, const Tensor& bias,
                         double negative_slope = 0.01);
Tensor linear_tanh(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace lily
