// SPDX-License-Identifier: MIT
// What OpenAI's model code computes (tests/golden/make_clip.py), and the same weights and inputs: numbers of
// std::mt19937, seeded by a tensor's name.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <random>
#include <string>

#include "framework/io/tensors.h"
#include "framework/ops.h"
#include "kernels/common/parallel.h"
#include "models/clip/clip.h"

namespace lily::testing {

inline uint32_t seed_of_name(const std::string& name) {
    uint32_t seed = 2166136261u;  // FNV-1a
    for (const char c : name) seed = (seed ^ static_cast<uint8_t>(c)) * 16777619u;
    return seed;
}

// visit(i, number in [-1, 1))
template <class Visit>
void each_uniform(const std::string& name, int64_t count, const Visit& visit) {
    std::mt19937 engine(seed_of_name(name));
    for (int64_t i = 0; i < count; ++i) visit(i, static_cast<double>(engine() >> 8) / (1 << 23) - 1);
}

// How large a tensor of this name is: mean ± spread.
inline std::pair<double, double> range_of(const std::string& name, const Shape& shape) {
    struct Rule {
        const char* end;
        double mean, spread;
        bool scaled = false;
    };
    static constexpr Rule kRules[] = {{"ln_pre.weight", 1, 0.1},
                                      {"ln_post.weight", 1, 0.1},
                                      {"ln_final.weight", 1, 0.1},
                                      {"ln_1.weight", 1, 0.1},
                                      {"ln_2.weight", 1, 0.1},
                                      {"bias", 0, 0.05},
                                      {"positional_embedding", 0, 0.02},
                                      {"class_embedding", 0, 0.05},
                                      {"token_embedding.weight", 0, 0.02},
                                      {"logit_scale", 3, 0},
                                      {"in_proj_weight", 0, 2.4, true},
                                      {"out_proj.weight", 0, 0.35, true},
                                      {"c_proj.weight", 0, 0.35, true},
                                      {"c_fc.weight", 0, 1.2, true},
                                      {"conv1.weight", 0, 0.1, true},
                                      {"proj", 0, 1, true},
                                      {"text_projection", 0, 1, true}};
    for (const Rule& rule : kRules)
        if (name.ends_with(rule.end)) {
            const double inputs =
                rule.scaled ? static_cast<double>(Shape(shape.begin() + 1, shape.end()).numel()) : 1;
            return {rule.mean, rule.spread / std::sqrt(inputs)};
        }
    fail("no rule for {}", name);
}

inline void name_seeded(models::Clip& model) {
    nn::Module::Named named = model.named_parameters();
    std::sort(named.begin(), named.end(),
              [](const auto& a, const auto& b) { return a.second.numel() > b.second.numel(); });
    kernels::parallel_for(std::ssize(named), 1, [&](int64_t begin, int64_t end) {
        for (int64_t t = begin; t < end; ++t) {
            auto& [name, parameter] = named[static_cast<size_t>(t)];
            const auto [mean, spread] = range_of(name, parameter.shape());
            float* to = parameter.mutable_data<float>();
            each_uniform(name, parameter.numel(), [&, mean = mean, spread = spread](int64_t i, double u) {
                to[i] = static_cast<float>(mean + spread * u);
            });
        }
    });
}

struct ClipCase {
    std::string name;  // in the golden file
    models::ClipConfig config;
    std::vector<int64_t> lengths;  // of the texts
};
inline ClipCase tiny_clip() {
    return {"tiny",
            {.embed_dim = 24,
             .image_size = 16,
             .patch_size = 4,
             .context_length = 9,
             .vocab_size = 60,
             .vision = {128, 2, 2, 512},
             .text = {64, 3, 2, 256},
             .eot_id = 59},
            {9, 4, 2, 7}};
}
inline ClipCase tiny_gelu_clip() {
    ClipCase c = tiny_clip();
    c.name = "tiny_gelu";
    c.config.activation = models::ClipActivation::gelu;
    c.config.eps = 1e-6;
    return c;
}
inline ClipCase b32_clip() { return {"b32", {}, {77, 9, 3}}; }

inline Tensor clip_pixels(const ClipCase& c) {
    const Shape shape{std::ssize(c.lengths), 3, c.config.image_size, c.config.image_size};
    Tensor pixels = empty(shape);
    float* to = pixels.mutable_data<float>();
    each_uniform("pixels", shape.numel(), [&](int64_t i, double u) { to[i] = static_cast<float>(2 * u); });
    return pixels;
}

// Begin, words, end, zeros.
inline Tensor clip_tokens(const ClipCase& c) {
    std::vector<int64_t> ids;
    for (size_t text = 0; text < c.lengths.size(); ++text) {
        std::mt19937 engine(seed_of_name(fmt::format("text {}", text)));
        for (int64_t i = 0; i < c.config.context_length; ++i) {
            const int64_t end = c.lengths[text] - 1;
            const bool word = i > 0 && i < end;
            ids.push_back(word       ? engine() % static_cast<uint32_t>(c.config.vocab_size - 2)
                          : i == 0   ? c.config.vocab_size - 2
                          : i == end ? c.config.vocab_size - 1
                                     : 0);
        }
    }
    return from_vector(ids, {std::ssize(c.lengths), c.config.context_length});
}

inline const Tensor& golden_clip(const std::string& key) {
    static const StateDict tensors =
        io::load_tensors(LILY_SOURCE_DIR "/tests/golden/clip.safetensors").tensors;
    return tensors.at(key);
}

// The largest difference, as a share of the largest component wanted.
inline double golden_error(const Tensor& got, const std::string& key) {
    const Tensor& want = golden_clip(key);
    check(got.shape() == want.shape(), "{} is {}, expected {}", key, got.shape(), want.shape());
    const auto g = got.to_vector<double>(), w = want.to_vector<double>();
    double error = 0, largest = 0;
    for (size_t i = 0; i < w.size(); ++i) {
        const double difference = std::fabs(g[i] - w[i]);
        if (!(difference <= error)) error = difference;  // NaN is an error
        largest = std::max(largest, std::fabs(w[i]));
    }
    return error / largest;
}

// Mean of the cross entropies of rows and columns, each to its own.
inline Tensor clip_loss_of(const Tensor& logits) {
    std::vector<int64_t> own;
    for (int64_t i = 0; i < logits.size(0); ++i) own.push_back(i);
    const Tensor right = from_vector(own, {logits.size(0)}).to(logits.device());
    return 0.5 * (cross_entropy(logits, right) + cross_entropy(transpose(logits, 0, 1), right));
}

}  // namespace lily::testing
