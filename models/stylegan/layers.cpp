// SPDX-License-Identifier: MIT
#include "models/stylegan/layers.h"

#include <cmath>

#include "framework/ops/arithmetic.h"
#include "framework/ops/conv2d.h"
#include "framework/ops/linear.h"

namespace lily::models {
namespace {

Tensor initial_weight(const Shape& shape, nn::Init init, const EqualOptions& options) {
    Tensor weight = empty(shape, {.dtype = options.dtype});
    if (init) nn::normal_(weight, 0, 1 / options.lr_multiplier, init.generator());
    return weight;
}

double scale_of(const Tensor& weight, const EqualOptions& options) {
    return options.gain * options.lr_multiplier / std::sqrt(static_cast<double>(nn::fan_in(weight)));
}

}  // namespace

EqualLinear::EqualLinear(int64_t in, int64_t out, nn::Init init, EqualOptions options)
    : weight(register_parameter("weight", initial_weight({out, in}, init, options))),
      bias(register_parameter("bias", zeros({out}, {.dtype = options.dtype}))),
      weight_scale_(scale_of(weight, options)),
      bias_scale_(options.lr_multiplier) {}

Tensor EqualLinear::forward(const Tensor& x) {
    return linear(x, weight, bias_scale_ == 1 ? bias : bias * bias_scale_, {.weight_scale = weight_scale_});
}

EqualConv2d::EqualConv2d(int64_t in, int64_t out, int64_t kernel, nn::Init init, ConvBias with_bias,
                         EqualOptions options)
    : weight(register_parameter("weight", initial_weight({out, in, kernel, kernel}, init, options))),
      weight_scale_(scale_of(weight, options)) {
    check(options.lr_multiplier == 1, "[stylegan] a convolution has no learning rate multiplier");
    if (with_bias == ConvBias::yes) bias = register_parameter("bias", zeros({out}, {.dtype = options.dtype}));
}

Tensor EqualConv2d::forward(const Tensor& x) {
    const int64_t padding = weight.size(2) / 2;
    return conv2d(x, weight, bias, {.padding = {padding, padding}, .weight_scale = weight_scale_});
}

}  // namespace lily::models
