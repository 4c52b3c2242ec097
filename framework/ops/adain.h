// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// Every plane of x (N,C,H,W) minus its mean, divided by √(its biased variance + eps).
Tensor instance_norm(const Tensor& x, double eps = 1e-5);

// Adaptive instance normalisation as in StyleGAN: instance_norm(x) (1 + scale) + bias, both (N,C).
Tensor adain(const Tensor& x, const Tensor& scale, const Tensor& bias, double eps = 1e-8);

}  // namespace lily
