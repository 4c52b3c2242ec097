// SPDX-License-Identifier: MIT
// The options of style_transfer.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "examples/common/machine.h"
#include "examples/common/resume.h"
#include "examples/common/words.h"
#include "models/style_transfer/pictures.h"
#include "models/style_transfer/style_transfer.h"

namespace lily::style_transfer {

// What the user asked for; each member is the option of that name, with its default. Empty: not given.
struct Settings : Machine {
    std::string content, output, weights, log, sheet, plot, profile, checkpoint, resume;
    std::vector<std::string> styles;
    std::vector<double> blend;
    int size = 512, style_size = 512;  // longest side in pixels
    int64_t iterations = 1500, save_every = 0, checkpoint_every = 100;
    uint64_t seed = 0;
    double learning_rate = 0.01, content_weight = 1e3, style_weight = 5e6, tv_weight = 1e-6;
    std::string content_layers = "relu4_2", style_layers = "relu1_1,relu2_1,relu3_1,relu4_1,relu5_1";
    models::ContentReduction content_reduction = models::ContentReduction::mean;
    models::Pooling pooling = models::Pooling::max;
    models::Init init = models::Init::content;
    models::OptimizerKind optimizer = models::OptimizerKind::adam;
    bool preserve_color = false;
    ResumeSettings same;
};

inline const Words<models::Init> kInits = {
    {"content", models::Init::content}, {"style", models::Init::style}, {"noise", models::Init::noise}};
inline const Words<models::OptimizerKind> kOptimizers = {{"adam", models::OptimizerKind::adam},
                                                         {"lbfgs", models::OptimizerKind::lbfgs}};
inline const Words<models::ContentReduction> kReductions = {{"mean", models::ContentReduction::mean},
                                                            {"sum", models::ContentReduction::sum}};
inline const Words<models::Pooling> kPoolings = {{"max", models::Pooling::max},
                                                 {"avg", models::Pooling::average}};

// Ends the program: with 0 after --help, with 2 and one line on stderr if something is wrong.
Settings parse_command_line(int argc, char** argv);

}  // namespace lily::style_transfer
