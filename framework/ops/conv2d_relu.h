// SPDX-License-Identifier: MIT
// Convolutions with what follows them in most networks, in one pass over memory.
#pragma once

#include "framework/ops/conv2d.h"

namespace lily {

// relu(conv2d(...)). On a GPU, where the convolution is cuDNN's, its ReLU may turn NaN into 0; relu() does
// not, nor does this on the CPU.
Tensor conv2d_relu(const Tensor& x, const Tensor& weight, const Tensor& bias, Conv2dOptions options = {});

// max_pool2d(relu(conv2d(...)), 2), (N,K,OH/2,OW/2). Where our Winograd form convolves, the map before the
// pooling and its gradient are never in memory; elsewhere it is made of the three ops.
Tensor conv2d_relu_max_pool2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                              Conv2dOptions options = {});

}  // namespace lily
