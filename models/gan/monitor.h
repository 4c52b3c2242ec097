// SPDX-License-Identifier: MIT
// Notices that the generator makes few kinds of pictures, or that the discriminator has won.
#pragma once

#include "framework/data/dataset.h"
#include "framework/train/monitor.h"
#include "models/gan/trainer.h"

namespace lily::models {

struct GanHealth : train::Variety {
    // How much more D believes in real pictures than in generated ones, a running mean: 1 is certainty.
    double saturation = 0;
};

class CollapseMonitor {
  public:
    static constexpr int64_t kSamples = 256;  // to check with

    // Of the pictures' pixels, unless other features are given.
    explicit CollapseMonitor(const data::Dataset& set,
                             train::VarietyMonitor::Features features = train::VarietyMonitor::as_they_are);

    void see(const GanStep& step, GanLoss loss);   // every step
    GanHealth check(const Tensor& samples) const;  // (N,pixels) on the CPU

    double& saturation() { return saturation_; }  // its whole state, for checkpoints

  private:
    train::VarietyMonitor variety_;
    double saturation_ = 0;
};

}  // namespace lily::models
