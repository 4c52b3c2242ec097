// SPDX-License-Identifier: MIT
// Pictures of seeds. A seed stands for a z and for noise, whatever else is made with it: the same picture in
// every batch, at every place.
#pragma once

#include <vector>

#include "models/stylegan/generator.h"

namespace lily::models {

using Seeds = std::vector<uint64_t>;

Tensor latents(const Seeds& seeds, int64_t latent);  // (N,latent), normal

enum class LayerNoise { constant, random, none };

struct SampleOptions {
    double psi = 0.7;    // truncation; 1: none
    int64_t cutoff = 8;  // layers that are truncated
    LayerNoise noise = LayerNoise::random;
    int64_t label = -1;  // the class of all, for models with classes
    Device device = Device::cpu;
};

// A generator that makes pictures of seeds, in pieces that bound the memory.
class StyleSampler {
  public:
    // Refers to the generator, and moves it to `device`.
    StyleSampler(StyleGenerator& generator, Growth growth, const SampleOptions& options);

    Tensor w(const Seeds& seeds) const;  // (N,width) on the device
    // The same of z (N,latent), f32 on the CPU; a model with classes takes each one's from its seed.
    Tensor w(const Tensor& z, const Seeds& seeds) const;
    std::vector<Tensor> styles(const Tensor& w) const;  // truncated, one per layer
    // (N,channels,H,W) on the CPU; `noise_seeds`: one per picture.
    Tensor pictures(const std::vector<Tensor>& styles, const Seeds& noise_seeds) const;
    Tensor pictures(const Seeds& seeds) const { return pictures(styles(w(seeds)), seeds); }

    const StyleGenerator& generator() const { return generator_; }
    const SampleOptions& options() const { return options_; }

  private:
    NoiseSource noise(const Seeds& seeds) const;

    StyleGenerator& generator_;
    const Growth growth_;
    const SampleOptions options_;
};

}  // namespace lily::models
