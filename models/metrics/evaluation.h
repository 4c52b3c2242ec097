// SPDX-License-Identifier: MIT
// How good are samples? Measured against the data, with a classifier's eyes.
#pragma once

#include <vector>

#include "models/metrics/classifier.h"
#include "models/metrics/frechet_distance.h"
#include "models/metrics/precision_recall.h"

namespace lily::models {

struct GanQuality {
    double frechet = 0;               // distance of the features from the data's: less is better
    double confidence = 0;            // mean of the largest probability
    std::vector<double> shares = {};  // of each class among the samples, as the classifier sees them

    double least_share() const;
    double most_share() const;
};

class Evaluator {
  public:
    static constexpr int64_t kMostPictures = 10'000;  // of the data, spread evenly over them

    // Refers to the classifier, which it moves to `device`, and to the data.
    Evaluator(DigitClassifier& classifier, const data::Dataset& set, Device device);

    GanQuality quality(const Tensor& samples);  // (N,pixels) on the CPU
    // Against as many pictures of the data.
    PrecisionRecall precision_recall(const Tensor& samples);
    // Share of the samples that the classifier takes for what they were meant to be.
    double share_seen_as(const Tensor& samples, const std::vector<int64_t>& classes);

  private:
    Tensor features(const Tensor& pictures);

    DigitClassifier& classifier_;
    const Device device_;
    const data::Dataset& set_;
    FeatureStatistics of_data_;
};

// Anybody's samples: (N,pixels) in [-1,1] of a file, which has a tensor 'samples' of any shape (N,…), f32 in
// [-1,1] or bytes; or IDX.
Tensor load_samples(const std::string& path, int64_t pixels);

// Rows of `columns` samples, each over a row of what is nearest to them in the data: `pairs` of rows, or as
// many as there are samples for.
Tensor with_nearest(const Tensor& samples, const data::Dataset& set, int64_t columns, int64_t pairs);

// Is the generator copying? Distances to the nearest picture of the data: of samples, and of as many pictures
// of the data themselves (which do not count as their own neighbours).
struct CopyCheck {
    double median = 0, median_of_data = 0;
    double least = 0;   // of the samples
    double copies = 0;  // share of the samples that are nearer than a quarter of the data's median
};
CopyCheck check_for_copies(const Tensor& samples, const data::Dataset& set);

}  // namespace lily::models
