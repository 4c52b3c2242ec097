// SPDX-License-Identifier: MIT
#include "models/clip/model_file.h"

#include "framework/io/safetensors.h"
#include "framework/io/tensors.h"

namespace lily::models {

void save_clip(const std::string& path, const Clip& model) {
    const ClipConfig& c = model.config;
    io::save_tensors(path, model.state_dict(),
                     {{"activation", name(c.activation)},
                      {"layer_norm_eps", fmt::format("{}", c.eps)},
                      {"vision_heads", fmt::format("{}", c.vision.heads)},
                      {"text_heads", fmt::format("{}", c.text.heads)},
                      {"eot_id", c.eot_id ? fmt::format("{}", *c.eot_id) : "largest"}});
}

}  // namespace lily::models
