// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// x Wᵀ + b: x (…,in), weight (out,in), bias (out) or undefined -> (…,out).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

// leaky_relu(linear(x, weight, bias), negative_slope) in one kernel where the device has one; relu for a
// slope of 0.
Tensor linear_relu(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, double negative_slope = 0);

}  // namespace lily
