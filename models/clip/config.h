// SPDX-License-Identifier: MIT
// What a CLIP model is made of, as far as its weights and their metadata say it.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "framework/shape.h"

namespace lily::models {

enum class ClipActivation { quick_gelu, gelu, gelu_tanh };

// One of the two transformers.
struct ClipTower {
    int64_t width, layers, heads, hidden;  // hidden: of its MLPs

    bool operator==(const ClipTower&) const = default;
};

// The defaults are OpenAI's ViT-B/32.
struct ClipConfig {
    int64_t embed_dim = 512;
    int64_t image_size = 224, patch_size = 32;
    int64_t context_length = 77, vocab_size = 49408;
    ClipTower vision{768, 12, 12, 3072}, text{512, 12, 8, 2048};
    ClipActivation activation = ClipActivation::quick_gelu;
    double eps = 1e-5;  // of the layer norms
    // A text's feature is read at the first token of this id; none: at the first of the text's largest ids.
    std::optional<int64_t> eot_id = 49407;

    int64_t patches() const { return image_size / patch_size * (image_size / patch_size); }
    bool operator==(const ClipConfig&) const = default;
};

// What a caller knows better than the file.
struct ClipOverrides {
    std::optional<ClipActivation> activation = std::nullopt;
};

// Sizes are those of the tensors in a file, by OpenAI's names. The rest comes from its metadata, as
// tools/convert_clip.py writes them:
//   activation               quick_gelu, gelu or gelu_tanh; without it, and without an override: an error
//   layer_norm_eps           1e-5 if it is missing
//   vision_heads, text_heads width / 64 if they are missing
//   eot_id                   the id to pool at (49407 if missing); "largest": at the largest id
// Throws with the names of all tensors that this needs and the file does not have.
ClipConfig clip_config(const std::map<std::string, Shape>& tensors,
                       const std::map<std::string, std::string>& metadata,
                       const ClipOverrides& overrides = {});

// "quick_gelu", … and back; throws on other words.
std::string name(ClipActivation activation);
ClipActivation clip_activation(const std::string& name);

}  // namespace lily::models
