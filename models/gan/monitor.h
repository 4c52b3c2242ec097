// SPDX-License-Identifier: MIT
// Notices that the generator makes few kinds of pictures, or that the discriminator has won.
#pragma once

#include <string>
#include <vector>

#include "framework/data/dataset.h"
#include "framework/tensor.h"
#include "models/gan/trainer.h"

namespace lily::models {

struct GanHealth {
    // exp of the entropy of the classes among the samples, by the nearest class mean: 10 for ten equally
    // frequent ones, 1 for one; and the same of the real pictures.
    double kinds = 0, kinds_of_data = 0;
    // Variance of a pixel over the samples, mean over the pixels, in parts of the real pictures'.
    double variance = 0;
    // How much more D believes in real pictures than in generated ones, a running mean: 1 is certainty.
    double saturation = 0;
    std::string problem = {};  // empty: healthy; else in a few words
};

class CollapseMonitor {
  public:
    static constexpr int64_t kSamples = 256;  // to check with

    // Class means of labelled data; else the means of ten clusters, found by k-means.
    explicit CollapseMonitor(const data::Dataset& set);

    void see(const GanStep& step, GanLoss loss);   // every step
    GanHealth check(const Tensor& samples) const;  // (N,pixels) on the CPU

    double& saturation() { return saturation_; }  // its whole state, for checkpoints

  private:
    size_t nearest(const float* picture) const;
    double kinds(const Tensor& pictures) const;

    int64_t pixels_;
    std::vector<std::vector<double>> means_;
    double variance_of_data_ = 0, kinds_of_data_ = 0;
    double saturation_ = 0;
};

}  // namespace lily::models
