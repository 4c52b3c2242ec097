// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

struct BatchNormOptions {
    bool training = false;
    double momentum = 0.1;  // weight of this batch in the running statistics
    double eps = 1e-5;
};

// x (N,C,…), normalised per channel: with the batch's mean and biased variance when training, which also
// updates running_mean and running_var (C; the variance unbiased) in place; else with those two. weight and
// bias (C) may be undefined, when training the running statistics too.
Tensor batch_norm(const Tensor& x, Tensor running_mean, Tensor running_var, const Tensor& weight,
                  const Tensor& bias, BatchNormOptions options = {});

}  // namespace lily
