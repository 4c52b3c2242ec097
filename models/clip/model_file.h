// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "models/clip/clip.h"

namespace lily::models {

// The model as load_clip reads it: tensors by OpenAI's names, and in the metadata what they do not say.
void save_clip(const std::string& path, const Clip& model);

}  // namespace lily::models
