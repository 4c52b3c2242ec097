// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// Gradients at kinks and NaN: docs/kinks.md.
Tensor relu(const Tensor& x);
Tensor leaky_relu(const Tensor& x, double negative_slope = 0.01);
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor softplus(const Tensor& x, double beta = 1, double threshold = 20);  // log(1 + exp(beta x)) / beta

// x Φ(x), Φ the normal distribution; or PyTorch's approximate="tanh".
enum class GeluApproximation : uint8_t { none, tanh };
Tensor gelu(const Tensor& x, GeluApproximation approximation = GeluApproximation::none);
Tensor quick_gelu(const Tensor& x);  // x σ(1.702 x)

}  // namespace lily
