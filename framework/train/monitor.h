// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "framework/data/dataset.h"
#include "framework/tensor.h"

namespace lily::train {

struct Variety {
    // exp of the entropy of the classes among the samples, by the nearest class mean: 10 for ten equally
    // frequent ones, 1 for one; and the same of the data.
    double kinds = 0, kinds_of_data = 0;
    // Variance of a feature over the samples, mean over the features, in parts of the data's.
    double variance = 0;
    std::string problem = {};  // empty: as varied as the data; else in a few words
};

// Are the samples of a generator as varied as the data? By features, which may be the pixels themselves.
class VarietyMonitor {
  public:
    using Features = std::function<Tensor(const Tensor& samples)>;  // -> (N,K) f32
    static Tensor as_they_are(const Tensor& samples) { return samples; }

    // Class means of `data` with labels, a class in 0 … classes-1 each; without, the means of ten clusters
    // found by k-means.
    VarietyMonitor(const Tensor& data, const std::vector<int64_t>& labels, int64_t classes,
                   Features features = as_they_are);

    // Of pictures of a set, spread evenly over it, and their classes where it has some.
    explicit VarietyMonitor(const data::Dataset& set, Features features = as_they_are);

    Variety check(const Tensor& samples) const;

  private:
    Tensor features_of(const Tensor& samples) const;
    size_t nearest(const float* features) const;
    double kinds(const Tensor& features) const;

    Features features_;
    int64_t width_ = 0;  // K
    std::vector<std::vector<double>> means_;
    double variance_of_data_ = 0, kinds_of_data_ = 0;
};

}  // namespace lily::train
