// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

struct LinearOptions {
    // Multiplies the weight within the product, forward and backward, without a pass over the weight: the
    // equalised learning rate of Karras et al. 2018 is a weight from N(0,1) with weight_scale √(gain²/in).
    double weight_scale = 1;
};

// weight_scale · x Wᵀ + b: x (…,in), weight (out,in), bias (out) or undefined -> (…,out).
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {}, LinearOptions options = {});

// relu(linear(…)), leaky_relu(linear(…), negative_slope) and tanh(linear(…)) in one kernel, and the gradients
// of both in one. negative_slope >= 0.
Tensor linear_relu(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                   LinearOptions options = {});
Tensor linear_leaky_relu(const Tensor& x, const Tensor& weight, const Tensor& bias,
                         double negative_slope = 0.01, LinearOptions options = {});
Tensor linear_tanh(const Tensor& x, const Tensor& weight, const Tensor& bias = {},
                   LinearOptions options = {});

}  // namespace lily
