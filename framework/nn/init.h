// SPDX-License-Identifier: MIT
// Random initial values, in place.
#pragma once

#include "framework/random.h"

namespace lily::nn {

void uniform_(Tensor& x, double low, double high, Generator& generator);
void normal_(Tensor& x, double mean, double std, Generator& generator);

// Inputs that one output is computed from: weight (out, in, kernel...) -> in · kernel.
int64_t fan_in(const Tensor& weight);

// Uniform in ±gain √(3 / fan_in), gain = √(2 / (1 + a²)): keeps the variance through a leaky ReLU of slope a
// (He et al. 2015). a = √5 is what PyTorch's layers start from: ±1/√fan_in.
void kaiming_uniform_(Tensor& weight, double a, Generator& generator);

}  // namespace lily::nn
