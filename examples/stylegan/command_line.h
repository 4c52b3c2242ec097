// SPDX-License-Identifier: MIT
// The commands of stylegan and their options.
#pragma once

#include <array>
#include <string>
#include <variant>
#include <vector>

#include "examples/common/machine.h"
#include "examples/common/resume.h"
#include "examples/common/words.h"
#include "framework/train/collapse.h"
#include "models/stylegan/sampler.h"
#include "models/stylegan/trainer.h"

namespace lily::stylegan {

// Each member here and below is the option of that name, with its default.
using train::OnCollapse;

enum class Preset { small, paper };

struct TrainSettings : Machine {
    std::string data, out;
    Preset preset = Preset::small;
    int64_t resolution = 32;
    bool grey = false, labels = false, mirror = false, resume = false;
    bool no_progressive = false;
    double kimg = 300, level_kimg = 0;  // level_kimg 0: the preset's
    int64_t iterations = 0;             // 0: as many as kimg asks for
    int64_t start_resolution = 8;
    int64_t latent = 0, feature_max = 0;  // 0: the preset's
    models::StyleGanRecipe recipe{.gamma = 1, .learning_rate = 1e-3};
    double ema_kimg = 10;
    std::string augment;                                                  // colour,translation,cutout
    double sample_every = 10, checkpoint_every = 5, evaluate_every = 50;  // kimg; evaluate_every 0: never
    int64_t check_every = 100;                                            // steps
    std::array<int, 2> grid = {8, 8};
    OnCollapse on_collapse = OnCollapse::warn;
    ResumeSettings same;
};

struct ModelSettings : Machine {
    std::string model, out;
    models::SampleOptions sampling;
};

enum class Space { z, w };

struct GenerateSettings : ModelSettings {
    std::string seeds = "0-63";
    std::string weights, latents, npy;  // of other programs, and for them
    Space space = Space::z;
    int columns = 8, zoom = 1;
    bool sheet_only = false;
};

// A table of pictures in one file.
struct FigureSettings : ModelSettings {
    int zoom = 0;  // 0: so that small pictures are seen
    FigureSettings() { sampling.noise = models::LayerNoise::constant; }
};

enum class Styles { coarse, middle, fine, all };

struct MixSettings : FigureSettings {
    std::string rows = "0-2", columns = "10-15";
    Styles styles = Styles::all;
};

struct TruncationSettings : FigureSettings {
    std::string seeds = "0-4";
    std::vector<double> psis = {1, 0.7, 0.5, 0, -0.5, -1};
};

struct NoiseSettings : FigureSettings {
    std::string seeds = "0-3";
    int64_t draws = 100, shown = 5;
    NoiseSettings() { sampling.noise = models::LayerNoise::random; }
};

struct WalkSettings : FigureSettings {
    std::string seeds = "0-31";
    std::array<int, 2> grid = {4, 2};
    int64_t frames = 24;  // from one stop to the next
    int delay = 6;        // centiseconds
};

struct EvaluateSettings : ModelSettings {
    std::string data, classifier, json, neighbours;
    int64_t count = 2000;
    uint64_t seed = 0;
    EvaluateSettings() { sampling.psi = 1; }
};

inline const Words<models::StyleGanLoss> kLosses = {{"nonsaturating", models::StyleGanLoss::nonsaturating},
                                                    {"wgan-gp", models::StyleGanLoss::wgan_gp},
                                                    {"r3", models::StyleGanLoss::r3}};
inline const Words<Preset> kPresets = {{"small", Preset::small}, {"paper", Preset::paper}};
inline const Words<models::LayerNoise> kNoises = {{"random", models::LayerNoise::random},
                                                  {"const", models::LayerNoise::constant},
                                                  {"none", models::LayerNoise::none}};
inline const Words<Space> kSpaces = {{"z", Space::z}, {"w", Space::w}};
inline const Words<Styles> kStyles = {
    {"all", Styles::all}, {"coarse", Styles::coarse}, {"middle", Styles::middle}, {"fine", Styles::fine}};
inline const Words<OnCollapse> kOnCollapse = {
    {"warn", OnCollapse::warn}, {"stop", OnCollapse::stop}, {"rollback", OnCollapse::rollback}};

using Settings = std::variant<TrainSettings, GenerateSettings, MixSettings, TruncationSettings, NoiseSettings,
                              WalkSettings, EvaluateSettings>;

// Ends the program: with 0 after --help, with 2 and one line on stderr if something is wrong.
Settings parse_command_line(int argc, char** argv);

}  // namespace lily::stylegan
