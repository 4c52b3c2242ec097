// SPDX-License-Identifier: MIT
// The discriminator of StyleGAN, which is that of Karras et al. 2018 with a blur before each halving.
#pragma once

#include "framework/nn/module_list.h"
#include "models/stylegan/layers.h"
#include "models/stylegan/options.h"

namespace lily::models {

// One map more, x (N,C,H,W) -> (N,C+1,H,W): how much the features of a picture's group differ, √(variance
// over the group + 1e-8), mean over C, H and W. Pictures m, m + M, m + 2M, … are a group, M = N / group, not
// neighbours. N < group: all are one group.
Tensor minibatch_stddev(const Tensor& x, int64_t group);

// Halves the resolution: conv 3x3 -> blur -> conv 3x3, mean of 2x2; a bias and a leaky ReLU after each.
class DiscriminatorBlock final : public nn::Module {
  public:
    DiscriminatorBlock(int64_t in, int64_t out, nn::Init init, DType dtype);
    Tensor forward(const Tensor& x) override;

  private:
    EqualConv2d conv0_, conv1_;
};

class StyleDiscriminator final : public nn::Module {
  public:
    StyleDiscriminator(const StyleGanOptions& options, nn::Init init);
    // Pictures (N,channels,H,W) of growth's resolution -> logits (N). labels (N) i64 for options with
    // classes.
    Tensor judge(const Tensor& pictures, const Tensor& labels, Growth growth);

    const StyleGanOptions& options() const { return options_; }

  private:
    Tensor from_picture(int64_t block, const Tensor& pictures);

    const StyleGanOptions options_;
    nn::ModuleList<EqualConv2d> from_rgb_;       // one per resolution, 4² first
    nn::ModuleList<DiscriminatorBlock> blocks_;  // 8² -> 4² first
    EqualConv2d conv_;
    EqualLinear dense0_, dense1_;
};

}  // namespace lily::models
