// SPDX-License-Identifier: MIT
// CLIP with a vision transformer (Radford et al. 2021): a picture and a text become vectors of one space.
#pragma once

#include <memory>
#include <string>

#include "models/clip/transformer.h"

namespace lily::models {

// Parameters are named as in OpenAI's weights. A new model starts as OpenAI's text tower does, both towers
// alike: normal weights, smaller where many are added up, and biases of 0.
class Clip final : public nn::Module {
  public:
    Clip(const ClipConfig& config, nn::Init init);
    Clip(const ClipConfig& config, const ClipWeights& weights);

    // pixels (N,3,S,S), S the config's image_size, normalised by clip_preprocess -> features (N,E).
    Tensor encode_image(const Tensor& pixels);
    // tokens (N,T) i64 on the CPU, T at most the context length, anything behind a text's end -> (N,E).
    // Computes up to the end of the longest text; a text's bits do not depend on the others. Throws if a text
    // lacks the end-of-text token that the config names.
    Tensor encode_text(const Tensor& tokens);

    // exp(logit_scale) times the cosines of features (N,E) and (M,E) -> (N,M).
    Tensor logits(const Tensor& image_features, const Tensor& text_features) const;
    // Back into [0, ln 100], after each step of an optimiser; outside of the graph.
    void clamp_logit_scale();

    const ClipConfig config;

  private:
    struct Weight : nn::Module {  // a layer of a weight alone
        explicit Weight(const Tensor& value) : weight(register_parameter("weight", value)) {}
        Tensor weight;
    };
    struct Vision : nn::Module {
        Vision(const ClipConfig& config, const ClipWeights& weights);
        Tensor class_embedding, positional_embedding, proj;  // (W), (1 + patches, W), (W,E)
        Weight conv1;                                        // (W,3,P,P)
        LayerNorm ln_pre;
        Transformer transformer;
        LayerNorm ln_post;
    };

    std::vector<int64_t> ends_of(const Tensor& tokens) const;

    Tensor positional_embedding_, text_projection_, logit_scale_;  // (T,W), (W,E), ()
    Vision visual_;
    Transformer transformer_;
    Weight token_embedding_;  // (vocabulary, W)
    LayerNorm ln_final_;
};

// Reads the safetensors file that tools/convert_clip.py writes, or OpenAI's tensors in f32, f16, bf16 or f64.
// Throws unless the tensors are all that the model needs and no more, with every name that is missing, left
// over or of another shape. The model's parameters require gradients; those of f32 are the file's own memory,
// read when they are first used, and a change in place does not reach the file.
std::unique_ptr<Clip> load_clip(const std::string& path, const ClipOverrides& overrides = {});

}  // namespace lily::models
