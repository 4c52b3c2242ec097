// SPDX-License-Identifier: MIT
// Layers with an equalised learning rate (Karras et al. 2018, section 4.1): what is stored has a standard
// deviation of 1 / lr_multiplier, and every use multiplies it by gain / √fan_in · lr_multiplier. Adam's
// steps, which do not depend on a gradient's scale, then change all layers equally fast.
#pragma once

#include "framework/nn/init.h"
#include "framework/nn/module.h"

namespace lily::models {

inline constexpr double kSlope = 0.2;                             // of all leaky ReLUs
inline constexpr double kReluGain = 1.4142135623730950488016887;  // √2: of layers that one follows

struct EqualOptions {
    double gain = kReluGain;
    double lr_multiplier = 1;  // of weight and bias
    DType dtype = DType::f32;
};

// x (…,in) -> (…,out); weight (out,in), bias (out), 0 at first
class EqualLinear final : public nn::Module {
  public:
    EqualLinear(int64_t in, int64_t out, nn::Init init, EqualOptions options = {});
    Tensor forward(const Tensor& x) override;

    Tensor weight, bias;

  private:
    const double weight_scale_, bias_scale_;
};

enum class ConvBias : bool { no, yes };

// A convolution that keeps the size: x (N,in,H,W) -> (N,out,H,W); weight (out,in,kernel,kernel), bias (out).
class EqualConv2d final : public nn::Module {
  public:
    EqualConv2d(int64_t in, int64_t out, int64_t kernel, nn::Init init, ConvBias with_bias = ConvBias::yes,
                EqualOptions options = {});
    Tensor forward(const Tensor& x) override;

    Tensor weight, bias;

  private:
    const double weight_scale_;
};

}  // namespace lily::models
