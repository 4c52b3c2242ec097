// SPDX-License-Identifier: MIT
#include "models/clip/clip.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "framework/autograd.h"
#include "framework/io/file.h"
#include "framework/ops.h"

namespace lily::models {
namespace {

constexpr double kStartTemperature = 0.07, kLargestScale = 100;

double inverse_root(int64_t width) { return 1 / std::sqrt(static_cast<double>(width)); }

// pixels (N,3,S,S) -> (N, patches, 3·P·P), each patch as conv1 sees it.
Tensor patches_of(const Tensor& pixels, int64_t patch) {
    const int64_t n = pixels.size(0), channels = pixels.size(1), grid = pixels.size(2) / patch;
    const Tensor cut = reshape(pixels.contiguous(), {n, channels, grid, patch, grid, patch});
    return reshape(permute(cut, {0, 2, 4, 1, 3, 5}), {n, grid * grid, channels * patch * patch});
}

}  // namespace

Clip::Vision::Vision(const ClipConfig& config, const ClipWeights& weights)
    : class_embedding(register_parameter(
          "class_embedding",
          weights.normal("class_embedding", {config.vision.width}, inverse_root(config.vision.width)))),
      positional_embedding(register_parameter(
          "positional_embedding",
          weights.normal("positional_embedding", {config.patches() + 1, config.vision.width},
                         inverse_root(config.vision.width)))),
      proj(register_parameter("proj", weights.normal("proj", {config.vision.width, config.embed_dim},
                                                     inverse_root(config.vision.width)))),
      conv1(weights.in("conv1").normal("weight",
                                       {config.vision.width, 3, config.patch_size, config.patch_size},
                                       inverse_root(3 * config.patch_size * config.patch_size))),
      ln_pre(config.vision.width, config.eps, weights.in("ln_pre")),
      transformer(config.vision, config, false, weights.in("transformer")),
      ln_post(config.vision.width, config.eps, weights.in("ln_post")) {
    register_module("conv1", conv1);
    register_module("ln_pre", ln_pre);
    register_module("transformer", transformer);
    register_module("ln_post", ln_post);
}

Clip::Clip(const ClipConfig& made_of, nn::Init init) : Clip(made_of, ClipWeights(init)) {}

Clip::Clip(const ClipConfig& made_of, const ClipWeights& weights)
    : config(made_of),
      positional_embedding_(register_parameter(
          "positional_embedding",
          weights.normal("positional_embedding", {config.context_length, config.text.width}, 0.01))),
      text_projection_(register_parameter(
          "text_projection", weights.normal("text_projection", {config.text.width, config.embed_dim},
                                            inverse_root(config.text.width)))),
      logit_scale_(
          register_parameter("logit_scale", weights.filled("logit_scale", {}, -std::log(kStartTemperature)))),
      visual_(config, weights.in("visual")),
      transformer_(config.text, config, true, weights.in("transformer")),
      token_embedding_(
          weights.in("token_embedding").normal("weight", {config.vocab_size, config.text.width}, 0.02)),
      ln_final_(config.text.width, config.eps, weights.in("ln_final")) {
    register_module("visual", visual_);
    register_module("transformer", transformer_);
    register_module("token_embedding", token_embedding_);
    register_module("ln_final", ln_final_);
}

Tensor Clip::encode_image(const Tensor& pixels) {
    const int64_t side = config.image_size;
    check(pixels.rank() == 4 && pixels.size(1) == 3 && pixels.size(2) == side && pixels.size(3) == side,
          "[clip] expected pictures (N,3,{},{}), got {}", side, side, pixels.shape());
    const int64_t n = pixels.size(0), width = config.vision.width;
    const Tensor filters = reshape(visual_.conv1.weight, {width, -1});
    const Tensor patches = linear(patches_of(pixels, config.patch_size), filters);
    const Tensor classes = expand(reshape(visual_.class_embedding, {1, 1, width}), {n, 1, width});
    const Tensor x = cat({classes, patches}, 1) + visual_.positional_embedding;
    std::vector<int64_t> places;  // of the class tokens
    for (int64_t i = 0; i < n; ++i) places.push_back(i * x.size(1));
    const Tensor rows =
        visual_.transformer.rows_at(visual_.ln_pre(x), from_vector(places, {n}).to(x.device()));
    return matmul(visual_.ln_post(rows), visual_.proj);
}

// Where each text is read.
std::vector<int64_t> Clip::ends_of(const Tensor& tokens) const {
    const int64_t length = tokens.size(1);
    const std::vector<int64_t> ids = tokens.to_vector<int64_t>();
    std::vector<int64_t> ends;
    for (auto text = ids.begin(); text != ids.end(); text += length) {
        const auto last = text + length;
        const auto end = config.eot_id ? std::find(text, last, *config.eot_id) : std::max_element(text, last);
        check(end != last, "[clip] text {} has no end-of-text token {}: tokenize it again, truncated",
              ends.size(), config.eot_id.value_or(0));
        ends.push_back(end - text);
    }
    return ends;
}

Tensor Clip::encode_text(const Tensor& tokens) {
    check(tokens.rank() == 2 && tokens.dtype() == DType::i64 && tokens.device() == Device::cpu &&
              tokens.size(1) > 0 && tokens.size(1) <= config.context_length,
          "[clip] expected tokens (N,T) of i64 on the CPU, T from 1 to {}, got {} {} on {}",
          config.context_length, name(tokens.dtype()), tokens.shape(), name(tokens.device()));
    const Device device = positional_embedding_.device();
    std::vector<int64_t> places = ends_of(tokens);
    const int64_t n = tokens.size(0);
    const int64_t length = n == 0 ? 1 : *std::max_element(places.begin(), places.end()) + 1;
    for (int64_t i = 0; i < n; ++i) places[static_cast<size_t>(i)] += i * length;
    const Tensor x = embedding(slice(tokens, 1, 0, length).to(device), token_embedding_.weight) +
                     slice(positional_embedding_, 0, 0, length);
    const Tensor rows = transformer_.rows_at(x, from_vector(places, {n}).to(device));
    return matmul(ln_final_(rows), text_projection_);
}

Tensor Clip::logits(const Tensor& image_features, const Tensor& text_features) const {
    return exp(logit_scale_) * matmul(normalize(image_features, -1), Transposed::no,
                                      normalize(text_features, -1), Transposed::yes);
}

void Clip::clamp_logit_scale() {
    const NoGrad no_grad;
    logit_scale_.copy_(clamp(logit_scale_, 0, std::log(kLargestScale)));
}

std::unique_ptr<Clip> load_clip(const std::string& path, const ClipOverrides& overrides) {
    const io::LoadedTensors file = io::load_tensors(path);
    try {
        std::map<std::string, Shape> shapes;
        for (const auto& [name, tensor] : file.tensors) shapes.emplace(name, tensor.shape());
        const ClipWeights weights(file.tensors);
        auto model = std::make_unique<Clip>(clip_config(shapes, file.metadata, overrides), weights);
        const std::vector<std::string> problems = weights.problems();
        check(problems.empty(), "[clip] not the tensors of one model: {}", fmt::join(problems, "; "));
        return model;
    } catch (const Error& error) {
        fail("{}: {}", io::in_quotes(path), error.what());
    }
}

}  // namespace lily::models
