// SPDX-License-Identifier: MIT
// The commands of clip and their options.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "examples/common/machine.h"
#include "examples/common/resume.h"
#include "examples/common/words.h"
#include "models/clip/trainer.h"

namespace lily::clip {

inline const char* const kVocabulary = "weights/bpe_simple_vocab_16e6.txt.gz";

// Each member here and below is the option of that name, with its default.
struct DataSettings {
    std::string data, vocabulary = kVocabulary;
    std::vector<std::string> class_names;
    std::string templates;  // a file; empty: those of the program
};

struct TrainSettings : Machine, DataSettings {
    std::string out, test, test_templates;
    int64_t image_size = 0, patch_size = 4;  // image_size 0: MNIST's own, or 32
    int64_t width = 128, layers = 4, heads = 4, embed_dim = 128, context_length = 32;
    double epochs = 5;
    int64_t iterations = 0, batch_size = 256;
    bool mirror = false, resume = false;
    models::ClipRecipe recipe;
    int64_t checkpoint_every = 100, evaluate_every = 0;  // steps; 0: once per epoch
    ResumeSettings same;
};

struct EvaluateSettings : Machine, DataSettings {
    std::string model, texts, json;
};

struct TokensSettings {
    std::vector<std::string> texts;
    std::string file, vocabulary = kVocabulary;
    int64_t context_length = 77;
};

// Of the commands that use a model.
struct ModelSettings : Machine {
    std::string model = "weights/clip.safetensors", vocabulary = kVocabulary;
};

struct EmbedSettings : ModelSettings {
    std::vector<std::string> images, texts;
    std::string file, out;
};

struct ZeroshotSettings : ModelSettings {
    std::vector<std::string> images, labels, templates;
    bool none_of_these = false;
    std::string json;
};

struct SearchSettings : ModelSettings {
    std::string images, text, index, sheet;  // index: empty: in the folder
    int64_t top = 9;
};

inline const Words<models::ClipLoss> kLosses = {{"softmax", models::ClipLoss::softmax},
                                                {"sigmoid", models::ClipLoss::sigmoid}};

using Settings = std::variant<TrainSettings, EvaluateSettings, TokensSettings, EmbedSettings,
                              ZeroshotSettings, SearchSettings>;

// Ends the program: with 0 after --help, with 2 and one line on stderr if something is wrong.
Settings parse_command_line(int argc, char** argv);

}  // namespace lily::clip
