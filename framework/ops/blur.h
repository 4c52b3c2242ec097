// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "framework/tensor.h"

namespace lily {

// x (N,C,H,W) filtered along rows and columns of every channel, zeros beyond the border: PyTorch's conv2d of
// each channel with the outer product of `filter` with itself, divided by its sum, and with padding that
// keeps the size. An odd number of taps up to 15, StyleGAN's by default. Any memory format.
Tensor blur(const Tensor& x, const std::vector<double>& filter = {1, 2, 1});

}  // namespace lily
