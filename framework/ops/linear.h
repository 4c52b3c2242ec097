// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// x Wᵀ + b: x (…,in), weight (out,in), bias (out) or undefined -> (…,out).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

}  // namespace lily
