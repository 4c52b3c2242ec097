// SPDX-License-Identifier: MIT
// The generator (Karras et al. 2019, figure 1b): a mapping network z -> w, and a synthesis network that
// begins with a learned constant and is told w, layer by layer, as the scale and bias of its normalised
// feature maps.
#pragma once

#include <functional>
#include <vector>

#include "framework/nn/module_list.h"
#include "models/stylegan/layers.h"
#include "models/stylegan/options.h"

namespace lily::models {

// The noise of a layer, (N,1,H,W) or (1,1,H,W) of that resolution; undefined: none.
using NoiseSource = std::function<Tensor(int64_t layer, int64_t resolution)>;
NoiseSource no_noise();
// New for every picture and layer. Refers to the generator of numbers.
NoiseSource random_noise(int64_t count, Generator& random, TensorOptions options = {});

// z (N,latent) -> w (N,width). With classes z is joined by 'latent' learned numbers of the class; the vector
// is normalised, x / √(mean x² + 1e-8), and passes 'mapping_layers' of linear and leaky ReLU, which learn at
// a hundredth of the rate.
class MappingNetwork final : public nn::Module {
  public:
    MappingNetwork(const StyleGanOptions& options, nn::Init init);
    Tensor map(const Tensor& z, const Tensor& labels = {});  // labels (N) i64, if the options have classes

  private:
    const StyleGanOptions options_;
    Tensor classes_;  // (classes,latent)
    nn::ModuleList<EqualLinear> layers_;
};

// What follows every convolution: noise, times a learned number per map -> bias -> leaky ReLU -> AdaIN, which
// brings each map to mean 0 and variance 1 and then gives it the style's: x̂ (1 + scale) + bias of a linear
// layer of w.
class StyleLayer final : public nn::Module {
  public:
    StyleLayer(int64_t features, int64_t resolution, const StyleGanOptions& options, nn::Init init);
    // x (N,C,H,W), w (N,width), noise (N or 1,1,H,W) or undefined -> (N,C,H,W)
    Tensor apply(const Tensor& x, const Tensor& w, const Tensor& noise);

    Tensor noise;  // (1,1,H,W), constant: what pictures without new noise get

  private:
    Tensor noise_weight_, bias_;  // (C), 0 at first
    EqualLinear style_;           // -> (N,2C)
};

// The layers of one resolution. The first begins with the constant, the others double the resolution:
// nearest neighbour -> convolution -> blur.
class SynthesisBlock final : public nn::Module {
  public:
    SynthesisBlock(int64_t index, const StyleGanOptions& options, nn::Init init);
    // x (N,C,H/2,W/2), undefined for the first block; w and noise of both layers -> (N,C',H,W)
    Tensor apply(const Tensor& x, const Tensor& w0, const Tensor& noise0, const Tensor& w1,
                 const Tensor& noise1);

    EqualConv2d& to_picture() { return to_rgb_; }
    StyleLayer& layer(int64_t i) { return i == 0 ? layer0_ : layer1_; }

  private:
    Tensor const_;  // (1,C,4,4), ones at first
    std::unique_ptr<EqualConv2d> conv0_;
    StyleLayer layer0_;
    EqualConv2d conv1_;
    StyleLayer layer1_;
    EqualConv2d to_rgb_;
};

class StyleGenerator final : public nn::Module {
  public:
    // Buffers beside the parameters: each layer's constant noise, and the mean of w over the training.
    StyleGenerator(const StyleGanOptions& options, nn::Init init);

    Tensor map(const Tensor& z, const Tensor& labels = {}) { return mapping_.map(z, labels); }
    // `ws`: a w (N,width) per layer, of which those of `growth` are used -> pictures (N,channels,H,W), in
    // -1…1 when trained.
    Tensor synthesize(const std::vector<Tensor>& ws, const NoiseSource& noise, Growth growth);
    // The whole network at full resolution, with the constant noise, without truncation.
    Tensor forward(const Tensor& z) override;

    const StyleGanOptions& options() const { return options_; }
    Growth full() const { return {options_.resolution}; }
    std::vector<Tensor> same_style(const Tensor& w) const { return std::vector<Tensor>(layer_count(), w); }
    // w̄ + ψ (w − w̄) in the first `cutoff` layers: closer to the mean face, less variety. (N,width) of each.
    std::vector<Tensor> truncated(const Tensor& w, double psi, int64_t cutoff = 8) const;
    NoiseSource constant_noise();

    Tensor w_average;  // (width)

  private:
    size_t layer_count() const { return static_cast<size_t>(options_.layers()); }

    const StyleGanOptions options_;
    MappingNetwork mapping_;
    nn::ModuleList<SynthesisBlock> blocks_;
};

}  // namespace lily::models
