// SPDX-License-Identifier: MIT
#pragma once

#include <array>

#include "framework/tensor.h"

namespace lily {

struct Conv2dOptions {
    std::array<int64_t, 2> stride{1, 1}, padding{0, 0}, dilation{1, 1};
    int64_t groups = 1;
    double weight_scale = 1;  // multiplies the weight within the convolution, as in LinearOptions
};

// x (N,C,H,W), weight (K,C/groups,R,S), bias (K) or undefined -> (N,K,OH,OW). In f32 the result is in the
// CPU's blocked format where K allows it; x may be in any format. The same bits for any number of threads,
// but for the f32 gradient of the weights, whose sum oneDNN splits over them.
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, Conv2dOptions options = {});

// The two gradients of y = conv2d(x, weight), by weight_scale · weight too, as ops of their own: linear in
// both arguments, so that the gradient of each of the three is made of the other two.
//   dL/dx from dy (N,K,OH,OW) and weight; (height, width) of x, which dy does not determine
Tensor conv2d_backward_data(const Tensor& dy, const Tensor& weight, std::array<int64_t, 2> input_size,
                            Conv2dOptions options = {});
//   dL/dweight from x and dy; (R,S) of weight
Tensor conv2d_backward_weights(const Tensor& x, const Tensor& dy, std::array<int64_t, 2> kernel_size,
                               Conv2dOptions options = {});

}  // namespace lily
