// SPDX-License-Identifier: MIT
// The model of the commands that use one, and vectors of pictures' files and of texts.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "examples/clip/command_line.h"
#include "models/clip/clip.h"
#include "models/clip/tokenizer.h"

namespace lily::clip {

// On the chosen device, in inference. Where there is no such file, says how to get one.
std::unique_ptr<models::Clip> open_model(const ModelSettings& s);
// The tokenizer of this model; throws if their vocabularies differ in size.
models::ClipTokenizer open_tokenizer(const std::string& vocabulary, const models::Clip& model);

struct Vectors {
    Tensor features;                 // (N,E) on the CPU, of length 1; undefined where N is 0
    std::vector<std::string> names;  // (N)
};
// Of pictures' files, as OpenAI's transform prepares them. One that cannot be read is left out, with a
// warning.
Vectors vectors_of_files(const Machine& machine, models::Clip& model, const std::vector<std::string>& paths);
// Longer texts are cut. (N,E)
Tensor vectors_of_texts(models::Clip& model, const models::ClipTokenizer& tokenizer,
                        const std::vector<std::string>& texts);

// The files among these paths, and the pictures below those that are folders. Throws if there are none.
std::vector<std::string> expand_pictures(const std::vector<std::string>& paths);

}  // namespace lily::clip
