// SPDX-License-Identifier: MIT
#include "models/stylegan/generator.h"

#include "framework/autograd.h"
#include "framework/ops.h"
#include "framework/random.h"

namespace lily::models {
namespace {

constexpr double kEps = 1e-8;

// x / √(mean of x² along the vector + ε)
Tensor pixel_norm(const Tensor& x) { return x * rsqrt(mean(x * x, {1}, true) + kEps); }

Tensor per_map(const Tensor& x) { return x.reshape({1, -1, 1, 1}); }

int64_t side_of(int64_t block) { return int64_t{4} << block; }

}  // namespace

NoiseSource no_noise() {
    return [](int64_t, int64_t) { return Tensor{}; };
}

NoiseSource random_noise(int64_t count, Generator& random, TensorOptions options) {
    return [count, &random, options](int64_t, int64_t resolution) {
        return randn({count, 1, resolution, resolution}, random, options);
    };
}

MappingNetwork::MappingNetwork(const StyleGanOptions& o, nn::Init init) : options_(o) {
    if (o.classes > 0) {
        classes_ = empty({o.classes, o.latent}, {.dtype = o.dtype});
        if (init) nn::normal_(classes_, 0, 1, init.generator());
        classes_ = register_parameter("classes", classes_);
    }
    register_module("layers", layers_);
    constexpr double kLrMultiplier = 0.01;
    int64_t in = o.classes > 0 ? 2 * o.latent : o.latent;
    for (int64_t i = 0; i < o.mapping_layers; ++i) {
        layers_.add(in, o.width, init, EqualOptions{.lr_multiplier = kLrMultiplier, .dtype = o.dtype});
        in = o.width;
    }
}

Tensor MappingNetwork::map(const Tensor& z, const Tensor& labels) {
    check(z.rank() == 2 && z.size(1) == options_.latent, "[stylegan] expected z (N,{}), got {}",
          options_.latent, z.shape());
    check(labels.defined() == (options_.classes > 0), "[stylegan] expected {}",
          options_.classes > 0 ? "a class for each z" : "no classes: the model has none");
    Tensor x = labels.defined() ? cat({z, embedding(labels, classes_)}, 1) : z;
    x = pixel_norm(x);
    for (EqualLinear* layer : layers_) x = leaky_relu(layer->forward(x), kSlope);
    return x;
}

StyleLayer::StyleLayer(int64_t features, int64_t resolution, const StyleGanOptions& o, nn::Init init)
    : style_(o.width, 2 * features, init, {.gain = 1, .dtype = o.dtype}) {
    const TensorOptions options{.dtype = o.dtype};
    noise_weight_ = register_parameter("noise_weight", zeros({features}, options));
    bias_ = register_parameter("bias", zeros({features}, options));
    noise = empty({1, 1, resolution, resolution}, options);
    if (init) nn::normal_(noise, 0, 1, init.generator());
    register_buffer("noise", noise);
    register_module("style", style_);
}

Tensor StyleLayer::apply(const Tensor& x, const Tensor& w, const Tensor& noise_map) {
    const int64_t features = bias_.numel();
    Tensor h = noise_map.defined() ? x + noise_map * per_map(noise_weight_) : x;
    h = leaky_relu(h + per_map(bias_), kSlope);
    const Tensor style = style_.forward(w);
    return adain(h, slice(style, 1, 0, features), slice(style, 1, features, 2 * features), kEps);
}

SynthesisBlock::SynthesisBlock(int64_t index, const StyleGanOptions& o, nn::Init init)
    : layer0_(o.features(index), side_of(index), o, init),
      conv1_(o.features(index), o.features(index), 3, init, ConvBias::no, {.dtype = o.dtype}),
      layer1_(o.features(index), side_of(index), o, init),
      to_rgb_(o.features(index), o.channels, 1, init, ConvBias::yes, {.gain = 1, .dtype = o.dtype}) {
    if (index == 0) {
        const_ = register_parameter("const", ones({1, o.features(0), 4, 4}, {.dtype = o.dtype}));
    } else {
        conv0_ = std::make_unique<EqualConv2d>(o.features(index - 1), o.features(index), 3, init,
                                               ConvBias::no, EqualOptions{.dtype = o.dtype});
        register_module("conv0", *conv0_);
    }
    register_module("layer0", layer0_);
    register_module("conv1", conv1_);
    register_module("layer1", layer1_);
    register_module("to_rgb", to_rgb_);
}

Tensor SynthesisBlock::apply(const Tensor& x, const Tensor& w0, const Tensor& noise0, const Tensor& w1,
                             const Tensor& noise1) {
    Tensor h = conv0_ ? blur(conv0_->forward(upsample_nearest2d(x, {2, 2})))
                      : expand(const_, {w0.size(0), const_.size(1), const_.size(2), const_.size(3)});
    h = layer0_.apply(h, w0, noise0);
    return layer1_.apply(conv1_.forward(h), w1, noise1);
}

StyleGenerator::StyleGenerator(const StyleGanOptions& o, nn::Init init)
    : options_((check_options(o), o)), mapping_(o, init) {
    register_module("mapping", mapping_);
    register_module("blocks", blocks_);
    for (int64_t i = 0; i < o.blocks(); ++i) blocks_.add(i, o, init);
    w_average = register_buffer("w_average", zeros({o.width}, {.dtype = o.dtype}));
}

NoiseSource StyleGenerator::constant_noise() {
    return [this](int64_t layer, int64_t) {
        return blocks_[static_cast<size_t>(layer / 2)].layer(layer % 2).noise;
    };
}

Tensor StyleGenerator::synthesize(const std::vector<Tensor>& ws, const NoiseSource& noise, Growth growth) {
    const int64_t side = growth.resolution, last = growth.last_block();
    check(last >= 0 && side == side_of(last) && side <= options_.resolution,
          "[stylegan] expected a resolution of 4, 8, … {}, got {}", options_.resolution, side);
    check(ws.size() >= static_cast<size_t>(2 * last + 2), "[stylegan] expected {} styles, got {}",
          2 * last + 2, ws.size());
    Tensor x, before;
    for (int64_t i = 0; i <= last; ++i) {
        before = x;
        const auto layer = static_cast<size_t>(2 * i);
        // In this order, which that of a call's arguments is not: the noise may be drawn as it is asked for.
        const Tensor noise0 = noise(2 * i, side_of(i)), noise1 = noise(2 * i + 1, side_of(i));
        x = blocks_[static_cast<size_t>(i)].apply(x, ws[layer], noise0, ws[layer + 1], noise1);
    }
    const auto at = static_cast<size_t>(last);
    Tensor picture = blocks_[at].to_picture().forward(x);
    if (growth.alpha >= 1 || last == 0) return picture;
    const Tensor old = upsample_nearest2d(blocks_[at - 1].to_picture().forward(before), {2, 2});
    return old * (1 - growth.alpha) + picture * growth.alpha;
}

Tensor StyleGenerator::forward(const Tensor& z) {
    return synthesize(same_style(map(z)), constant_noise(), full());
}

std::vector<Tensor> StyleGenerator::truncated(const Tensor& w, double psi, int64_t cutoff) const {
    std::vector<Tensor> ws = same_style(w);
    if (psi == 1) return ws;
    const Tensor near = w_average * (1 - psi) + w * psi;
    for (size_t i = 0; i < ws.size() && static_cast<int64_t>(i) < cutoff; ++i) ws[i] = near;
    return ws;
}

}  // namespace lily::models
