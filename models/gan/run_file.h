// SPDX-License-Identifier: MIT
// The checkpoint of a training run: everything that its next step depends on, and its history.
#pragma once

#include <vector>

#include "framework/data/loader.h"
#include "models/gan/model_file.h"
#include "models/gan/monitor.h"
#include "models/gan/trainer.h"

namespace lily::models {

// What a run carries along besides the networks.
struct GanRun {
    std::vector<GanStep> history = {};  // [k]: step k+1
    int64_t rollbacks = 0;              // after collapses
    double best_distance = -1;          // the least Fréchet distance so far; negative: none
    int64_t bad_checks = 0;             // for a collapse, one after the other
};

void save_gan_run(const std::string& path, GanTrainer& trainer, const io::PictureSize& size,
                  const data::Loader& loader, const CollapseMonitor& monitor, const GanRun& run,
                  const io::Checkpoint::Settings& settings);

// Brings all of them to where the checkpoint left them. Throws, naming the options, if it was made under
// other settings.
GanRun load_gan_run(const std::string& path, GanTrainer& trainer, data::Loader& loader,
                    CollapseMonitor& monitor, const io::Checkpoint::Settings& settings);

}  // namespace lily::models
