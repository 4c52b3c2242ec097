// SPDX-License-Identifier: MIT
// How well a CLIP model finds what belongs together.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "models/clip/captions.h"
#include "models/clip/clip.h"

namespace lily::models {

// Unit vectors (N,E) on the CPU, computed in pieces on the model's device.
Tensor embed_pictures(Clip& model, const data::Dataset& set);
Tensor embed_texts(Clip& model, const Tensor& tokens);

struct Recall {
    static constexpr std::array<int64_t, 3> kAt = {1, 5, 10};
    std::array<double, 3> text_of_picture = {}, picture_of_text = {};  // share found among the first 1, 5, 10
    std::array<double, 3> chance_text = {}, chance_picture = {};       // of a model that guesses
    int64_t pictures = 0, texts = 0;
};
// pictures (N,E), texts (M,E), both of unit length; meaning (N): the text of each picture, a row of `texts`.
Recall recall(const Tensor& pictures, const Tensor& texts, const std::vector<int64_t>& meaning);

// The text features of classes: of each the mean over all templates, of unit length again. (classes,E)
Tensor class_features(Clip& model, const ClipTokenizer& tokenizer, const std::vector<std::string>& names,
                      const std::vector<std::string>& templates);
// The row of `classes` that is nearest to each row of `pictures`.
std::vector<int64_t> nearest_class(const Tensor& pictures, const Tensor& classes);

// Share of the pictures (N,E) whose nearest class, of class_features, is theirs.
double zero_shot_accuracy(const Tensor& pictures, const Tensor& classes, const std::vector<uint8_t>& labels);

}  // namespace lily::models
