// SPDX-License-Identifier: MIT
#include "models/gan/monitor.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace lily::models {
namespace {

constexpr double kFewestKinds = 0.45;     // of the data's; fewer is a collapse
constexpr double kLeastVariance = 0.35;   // of the data's
constexpr double kMostSaturation = 0.97;  // D knows: nothing is left for G to learn from
constexpr double kMemory = 0.99;          // of the running mean: a hundred steps
constexpr int64_t kClusters = 10, kRounds = 10;
constexpr int64_t kMostPictures = 2000;  // of the data, spread evenly over them

// Mean over the pixels of their variance over the pictures.
double variance_of(const Tensor& pictures) {
    const int64_t n = pictures.size(0), pixels = pictures.size(1);
    const float* x = pictures.data<float>();
    double total = 0;
    for (int64_t k = 0; k < pixels; ++k) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < n; ++i) mean += x[i * pixels + k];
        mean /= static_cast<double>(n);
        for (int64_t i = 0; i < n; ++i) square += std::pow(x[i * pixels + k] - mean, 2);
        total += square / static_cast<double>(n);
    }
    return total / static_cast<double>(pixels);
}

// means[c] = mean of the pictures of class c; classes without pictures keep what they have.
void average(std::vector<std::vector<double>>& means, const Tensor& pictures,
             const std::vector<size_t>& classes) {
    const auto pixels = static_cast<size_t>(pictures.size(1));
    const float* x = pictures.data<float>();
    std::vector<std::vector<double>> sums(means.size(), std::vector<double>(pixels));
    std::vector<double> counts(means.size());
    for (size_t i = 0; i < classes.size(); ++i) {
        for (size_t k = 0; k < pixels; ++k) sums[classes[i]][k] += x[i * pixels + k];
        ++counts[classes[i]];
    }
    for (size_t c = 0; c < means.size(); ++c)
        for (size_t k = 0; counts[c] > 0 && k < pixels; ++k) means[c][k] = sums[c][k] / counts[c];
}

}  // namespace

CollapseMonitor::CollapseMonitor(const data::Dataset& set) : pixels_(set.picture_size()) {
    const std::vector<int64_t> chosen = set.spread(kMostPictures);
    const Tensor pictures = data::to_pixels(set, chosen);
    const int64_t n = pictures.size(0);
    const float* x = pictures.data<float>();
    std::vector<size_t> classes(static_cast<size_t>(n));
    if (!set.labels.empty()) {
        means_.assign(
            static_cast<size_t>(set.classes),
            std::vector<double>(static_cast<size_t>(pixels_), std::numeric_limits<double>::infinity()));
        for (size_t i = 0; i < chosen.size(); ++i) classes[i] = set.labels[static_cast<size_t>(chosen[i])];
        average(means_, pictures, classes);
    } else {
        for (int64_t c = 0; c < std::min(kClusters, n); ++c)
            means_.emplace_back(x + c * pixels_, x + (c + 1) * pixels_);
        for (int64_t round = 0; round < kRounds; ++round) {
            for (int64_t i = 0; i < n; ++i) classes[static_cast<size_t>(i)] = nearest(x + i * pixels_);
            average(means_, pictures, classes);
        }
    }
    variance_of_data_ = variance_of(pictures);
    kinds_of_data_ = kinds(pictures);
}

size_t CollapseMonitor::nearest(const float* picture) const {
    size_t best = 0;
    double least = std::numeric_limits<double>::infinity();
    for (size_t c = 0; c < means_.size(); ++c) {
        double distance = 0;
        for (size_t k = 0; k < static_cast<size_t>(pixels_); ++k) {
            const double d = picture[k] - means_[c][k];
            distance += d * d;
        }
        if (distance < least) {
            least = distance;
            best = c;
        }
    }
    return best;
}

double CollapseMonitor::kinds(const Tensor& pictures) const {
    std::vector<double> counts(means_.size());
    const float* x = pictures.data<float>();
    const int64_t n = pictures.size(0);
    for (int64_t i = 0; i < n; ++i) ++counts[nearest(x + i * pixels_)];
    double entropy = 0;
    for (const double count : counts)
        if (count > 0) entropy -= count / static_cast<double>(n) * std::log(count / static_cast<double>(n));
    return std::exp(entropy);
}

void CollapseMonitor::see(const GanStep& step, GanLoss loss) {
    const double gap = has_beliefs(loss) ? step.d_real - step.d_fake : 0;
    saturation_ = kMemory * saturation_ + (1 - kMemory) * gap;
}

GanHealth CollapseMonitor::check(const Tensor& samples) const {
    lily::check(samples.rank() == 2 && samples.size(1) == pixels_,
                "[monitor] expected samples (N,{}), got {}", pixels_, samples.shape());
    GanHealth health{.kinds = kinds(samples),
                     .kinds_of_data = kinds_of_data_,
                     .variance = variance_of_data_ > 0 ? variance_of(samples) / variance_of_data_ : 1,
                     .saturation = saturation_};
    if (!(health.kinds >= kFewestKinds * kinds_of_data_))
        health.problem = fmt::format("the samples are of {:.1f} kinds, the data of {:.1f}", health.kinds,
                                     health.kinds_of_data);
    else if (!(health.variance >= kLeastVariance))
        health.problem = fmt::format("the samples vary {:.0f} % as much as the data", 100 * health.variance);
    else if (!(health.saturation <= kMostSaturation))
        health.problem = fmt::format("D is {:.1f} % certain of everything: G learns nothing any more",
                                     100 * health.saturation);
    return health;
}

}  // namespace lily::models
