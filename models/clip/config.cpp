// SPDX-License-Identifier: MIT
#include "models/clip/config.h"

#include <fmt/ranges.h>

#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include "framework/error.h"
#include "framework/io/file.h"

namespace lily::models {
namespace {

constexpr std::array<std::pair<ClipActivation, const char*>, 3> kActivations{
    {{ClipActivation::quick_gelu, "quick_gelu"},
     {ClipActivation::gelu, "gelu"},
     {ClipActivation::gelu_tanh, "gelu_tanh"}}};

using Metadata = std::map<std::string, std::string>;
using Shapes = std::map<std::string, Shape>;

// The tensors that sizes are read from, with their number of dimensions.
constexpr std::array<std::pair<const char*, int64_t>, 8> kSized{
    {{"visual.conv1.weight", 4},
     {"visual.positional_embedding", 2},
     {"visual.proj", 2},
     {"visual.transformer.resblocks.0.mlp.c_fc.weight", 2},
     {"token_embedding.weight", 2},
     {"positional_embedding", 2},
     {"text_projection", 2},
     {"transformer.resblocks.0.mlp.c_fc.weight", 2}}};

void check_sized(const Shapes& tensors) {
    std::vector<std::string> missing;
    for (const auto& [name, rank] : kSized) {
        const auto found = tensors.find(name);
        if (found == tensors.end())
            missing.emplace_back(name);
        else
            check(found->second.rank() == rank, "[clip] expected {} with {} dimensions, got {}", name, rank,
                  found->second);
    }
    check(missing.empty(),
          "[clip] not CLIP's weights by OpenAI's names: there is no {}; where these are CLIP's in another "
          "form: build/venv/bin/python tools/convert_clip.py",
          fmt::join(missing, ", "));
}

int64_t layers_of(const Shapes& tensors, const std::string& tower) {
    int64_t layers = 0;
    while (tensors.contains(fmt::format("{}resblocks.{}.attn.in_proj_weight", tower, layers))) ++layers;
    return layers;
}

template <class Number>
Number number_of(const std::string& key, const std::string& text) {
    Number value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    check(error == std::errc() && end == text.data() + text.size(),
          "[clip] expected a number for {} in the metadata, got {}", key, io::in_quotes(text));
    return value;
}

ClipTower tower_of(const Shapes& tensors, const Metadata& metadata, const std::string& tower,
                   const std::string& heads_key) {
    constexpr int64_t kHead = 64;  // numbers in one of OpenAI's heads
    const Shape& first = tensors.at(tower + "resblocks.0.mlp.c_fc.weight");
    const int64_t width = first[1];
    const auto said = metadata.find(heads_key);
    const int64_t heads =
        said != metadata.end() ? number_of<int64_t>(heads_key, said->second) : width / kHead;
    check(heads > 0 && width % heads == 0,
          "[clip] {} heads do not divide a width of {}: write {} into the file's metadata", heads, width,
          heads_key);
    return {width, layers_of(tensors, tower), heads, first[0]};
}

ClipActivation activation_of(const Metadata& metadata, const ClipOverrides& overrides) {
    if (overrides.activation) return *overrides.activation;
    const auto said = metadata.find("activation");
    check(said != metadata.end(),
          "[clip] the file does not say its activation: use --activation quick_gelu (OpenAI's weights) or "
          "--activation gelu");
    return clip_activation(said->second);
}

}  // namespace

std::string name(ClipActivation activation) {
    for (const auto& [value, text] : kActivations)
        if (value == activation) return text;
    fail("[clip] no such activation");
}

ClipActivation clip_activation(const std::string& name) {
    for (const auto& [value, text] : kActivations)
        if (name == text) return value;
    fail("[clip] expected the activation quick_gelu, gelu or gelu_tanh, got {}", io::in_quotes(name));
}

ClipConfig clip_config(const Shapes& tensors, const Metadata& metadata, const ClipOverrides& overrides) {
    check_sized(tensors);
    ClipConfig config;
    config.embed_dim = tensors.at("visual.proj")[1];
    config.patch_size = tensors.at("visual.conv1.weight")[3];
    const int64_t patches = tensors.at("visual.positional_embedding")[0] - 1;
    const auto grid = static_cast<int64_t>(std::llround(std::sqrt(static_cast<double>(patches))));
    check(grid > 0 && grid * grid == patches,
          "[clip] expected a square of patches and one place for the class, got "
          "visual.positional_embedding {}",
          tensors.at("visual.positional_embedding"));
    config.image_size = grid * config.patch_size;
    config.context_length = tensors.at("positional_embedding")[0];
    config.vocab_size = tensors.at("token_embedding.weight")[0];
    config.vision = tower_of(tensors, metadata, "visual.transformer.", "vision_heads");
    config.text = tower_of(tensors, metadata, "transformer.", "text_heads");
    config.activation = activation_of(metadata, overrides);
    if (const auto eps = metadata.find("layer_norm_eps"); eps != metadata.end())
        config.eps = number_of<double>(eps->first, eps->second);
    if (const auto eot = metadata.find("eot_id"); eot != metadata.end()) {
        if (eot->second == "largest")
            config.eot_id.reset();
        else
            config.eot_id = number_of<int64_t>(eot->first, eot->second);
    }
    return config;
}

}  // namespace lily::models
