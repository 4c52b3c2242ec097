// SPDX-License-Identifier: MIT
#include "models/stylegan/sampler.h"

#include <algorithm>

#include "framework/autograd.h"
#include "framework/ops.h"
#include "framework/random.h"

namespace lily::models {
namespace {

constexpr int64_t kPiece = 32;  // pictures made at a time

// The numbers of a seed: part 0 is its z, part i + 1 the noise of layer i.
Tensor numbers_of(uint64_t seed, uint32_t part, const Shape& shape) {
    Generator random(seed, Stream::samples, part);
    return randn(shape, random);
}

Tensor joined(const Seeds& seeds, uint32_t part, const Shape& of_each) {
    std::vector<Tensor> all;
    for (const uint64_t seed : seeds) all.push_back(numbers_of(seed, part, of_each));
    return cat(all, 0);
}

}  // namespace

Tensor latents(const Seeds& seeds, int64_t latent) { return joined(seeds, 0, {1, latent}); }

StyleSampler::StyleSampler(StyleGenerator& generator, Growth growth, const SampleOptions& options)
    : generator_(generator), growth_(growth), options_(options) {
    const int64_t classes = generator.options().classes;
    check(options.label < 0 || classes > 0, "--class needs a model that was trained with --labels");
    check(options.label < classes || options.label < 0, "--class {} is not one of the model's, 0 to {}",
          options.label, classes - 1);
    generator_.to(options.device);
}

Tensor StyleSampler::w(const Seeds& seeds) const {
    return w(latents(seeds, generator_.options().latent), seeds);
}

Tensor StyleSampler::w(const Tensor& z, const Seeds& seeds) const {
    const NoGrad no_grad;
    const StyleGanOptions& o = generator_.options();
    Tensor labels;
    if (o.classes > 0) {
        std::vector<int64_t> of_all;
        for (const uint64_t seed : seeds)
            of_all.push_back(options_.label >= 0
                                 ? options_.label
                                 : static_cast<int64_t>(seed % static_cast<uint64_t>(o.classes)));
        labels = from_vector(of_all, {static_cast<int64_t>(of_all.size())}).to(options_.device);
    }
    return generator_.map(z.to(options_.device), labels);
}

std::vector<Tensor> StyleSampler::styles(const Tensor& w) const {
    const NoGrad no_grad;
    return generator_.truncated(w, options_.psi, options_.cutoff);
}

NoiseSource StyleSampler::noise(const Seeds& seeds) const {
    switch (options_.noise) {
        case LayerNoise::none:
            return no_noise();
        case LayerNoise::constant:
            return generator_.constant_noise();
        case LayerNoise::random:
            return [&seeds, device = options_.device](int64_t layer, int64_t side) {
                return joined(seeds, static_cast<uint32_t>(layer + 1), {1, 1, side, side}).to(device);
            };
    }
    fail("[stylegan] unknown noise");
}

Tensor StyleSampler::pictures(const std::vector<Tensor>& styles, const Seeds& noise_seeds) const {
    const NoGrad no_grad;
    const auto count = static_cast<int64_t>(noise_seeds.size());
    std::vector<Tensor> pieces;
    for (int64_t begin = 0; begin < count; begin += kPiece) {
        const int64_t end = std::min(begin + kPiece, count);
        std::vector<Tensor> ws;
        for (const Tensor& w : styles) ws.push_back(slice(w, 0, begin, end));
        const Seeds seeds(noise_seeds.begin() + begin, noise_seeds.begin() + end);
        pieces.push_back(generator_.synthesize(ws, noise(seeds), growth_).to(Device::cpu).contiguous());
    }
    return cat(pieces, 0);
}

}  // namespace lily::models
