// SPDX-License-Identifier: MIT
// A trained generator as a file, and what a file must say so that its networks can be built again.
#pragma once

#include <memory>
#include <string>

#include "framework/io/checkpoint.h"
#include "models/stylegan/generator.h"

namespace lily::models {

inline constexpr const char* kStyleGanProgram = "stylegan";

// The options as text in a checkpoint.
void put_description(io::Checkpoint& checkpoint, const StyleGanOptions& options);
StyleGanOptions described_stylegan(const io::Checkpoint& checkpoint);
// What the generator has been trained for so far.
void put_growth(io::Checkpoint& checkpoint, Growth growth);

void save_generator(const std::string& path, const StyleGenerator& generator, Growth growth);

struct LoadedStyleGenerator {
    std::unique_ptr<StyleGenerator> generator;  // on the CPU, in eval mode
    Growth growth;
};
// Of a file of save_generator, or the averaged generator of a run's checkpoint.
LoadedStyleGenerator load_style_generator(const std::string& path);
// Of a safetensors file of the tensors of a generator's state_dict(), which may be anybody's: their shapes
// give the sizes.
LoadedStyleGenerator load_style_weights(const std::string& path);

}  // namespace lily::models
