// SPDX-License-Identifier: MIT
#pragma once

#include <array>

#include "framework/tensor.h"

namespace lily {

struct ConvTranspose2dOptions {
    std::array<int64_t, 2> stride{1, 1}, padding{0, 0}, output_padding{0, 0}, dilation{1, 1};
    int64_t groups = 1;
    double weight_scale = 1;  // as in Conv2dOptions
};

// The transpose of conv2d as a linear map: x (N,C,H,W), weight (C,K/groups,R,S), bias (K) or undefined ->
// (N,K,OH,OW), OH = (H-1)·stride - 2·padding + dilation·(R-1) + output_padding + 1; output_padding < stride
// or < dilation.
Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias,
                        ConvTranspose2dOptions options = {});

}  // namespace lily
