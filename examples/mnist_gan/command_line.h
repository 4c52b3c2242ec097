// SPDX-License-Identifier: MIT
// The commands of mnist_gan and their options.
#pragma once

#include <array>
#include <string>
#include <variant>

#include "examples/common/machine.h"
#include "examples/common/resume.h"
#include "examples/common/words.h"
#include "framework/train/collapse.h"
#include "models/gan/trainer.h"

namespace lily::mnist_gan {

// Each member here and below is the option of that name, with its default.
using train::OnCollapse;

struct TrainSettings : Machine {
    std::string data, out;
    int image_size = 28;
    int64_t epochs = 50, iterations = 0, batch_size = 64;  // iterations 0: as many as epochs ask for
    bool plain = false, conditional = false, resume = false;
    models::GanOptions networks;  // pixels, classes and batch_norm follow from the data and the two above
    models::GanRecipe recipe{.d_learning_rate = 0, .clip_grad = 5};       // d_… 0: as G's
    int64_t sample_every = 0, checkpoint_every = 500, check_every = 100;  // sample_every 0: once per epoch
    int64_t evaluate_every = 5;                                           // epochs; 0: never
    std::array<int, 2> grid = {8, 8};
    OnCollapse on_collapse = OnCollapse::warn;
    std::string classifier;
    ResumeSettings same;
};

struct SampleSettings : Machine {
    std::string model, out;
    int64_t count = 0;                 // 0: as many as the grid holds
    std::array<int, 2> grid = {0, 0};  // columns, rows; 0: 8 columns
    int digit = -1;                    // -1: all in turn
    int zoom = 1;
    uint64_t seed = 0;
};

struct WalkSettings : Machine {
    std::string model, out;
    int64_t stops = 8, frames = 12;  // frames from one stop to the next
    std::array<int, 2> grid = {4, 4};
    int digit = -1, zoom = 2, delay = 6;  // centiseconds
    uint64_t seed = 0;
};

struct EvaluateSettings : Machine {
    std::string model, samples, data, classifier, json, neighbours;
    int image_size = 28;
    int64_t count = 2000;
    bool train_classifier = false;
    int64_t classifier_epochs = 3;
    uint64_t seed = 0;
};

inline const Words<models::GanLoss> kLosses = {{"nonsaturating", models::GanLoss::nonsaturating},
                                               {"minimax", models::GanLoss::minimax},
                                               {"lsgan", models::GanLoss::lsgan},
                                               {"wgan-gp", models::GanLoss::wgan_gp},
                                               {"hinge", models::GanLoss::hinge}};
inline const Words<OnCollapse> kOnCollapse = {
    {"warn", OnCollapse::warn}, {"stop", OnCollapse::stop}, {"rollback", OnCollapse::rollback}};

using Settings = std::variant<TrainSettings, SampleSettings, WalkSettings, EvaluateSettings>;

// Ends the program: with 0 after --help, with 2 and one line on stderr if something is wrong.
Settings parse_command_line(int argc, char** argv);

}  // namespace lily::mnist_gan
