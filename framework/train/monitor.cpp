// SPDX-License-Identifier: MIT
#include "framework/train/monitor.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/autograd.h"
#include "framework/data/loader.h"

namespace lily::train {
namespace {

constexpr double kFewestKinds = 0.45;    // of the data's; fewer is a collapse
constexpr double kLeastVariance = 0.35;  // of the data's
constexpr int64_t kClusters = 10, kRounds = 10;
constexpr int64_t kMostPictures = 2000;  // of a set

// Mean over the features of their variance over the samples.
double variance_of(const Tensor& samples) {
    const int64_t n = samples.size(0), width = samples.size(1);
    const float* x = samples.data<float>();
    double total = 0;
    for (int64_t k = 0; k < width; ++k) {
        double mean = 0, square = 0;
        for (int64_t i = 0; i < n; ++i) mean += x[i * width + k];
        mean /= static_cast<double>(n);
        for (int64_t i = 0; i < n; ++i) square += std::pow(x[i * width + k] - mean, 2);
        total += square / static_cast<double>(n);
    }
    return total / static_cast<double>(width);
}

// means[c] = mean of the samples of class c; classes without samples keep what they have.
void average(std::vector<std::vector<double>>& means, const Tensor& samples,
             const std::vector<size_t>& classes) {
    const auto width = static_cast<size_t>(samples.size(1));
    const float* x = samples.data<float>();
    std::vector<std::vector<double>> sums(means.size(), std::vector<double>(width));
    std::vector<double> counts(means.size());
    for (size_t i = 0; i < classes.size(); ++i) {
        for (size_t k = 0; k < width; ++k) sums[classes[i]][k] += x[i * width + k];
        ++counts[classes[i]];
    }
    for (size_t c = 0; c < means.size(); ++c)
        for (size_t k = 0; counts[c] > 0 && k < width; ++k) means[c][k] = sums[c][k] / counts[c];
}

std::vector<int64_t> labels_of(const data::Dataset& set, const std::vector<int64_t>& pictures) {
    std::vector<int64_t> labels;
    if (!set.labels.empty())
        for (const int64_t i : pictures) labels.push_back(set.labels[static_cast<size_t>(i)]);
    return labels;
}

}  // namespace

VarietyMonitor::VarietyMonitor(const data::Dataset& set, Features features)
    : VarietyMonitor(data::to_pixels(set, set.spread(kMostPictures)),
                     labels_of(set, set.spread(kMostPictures)), set.classes, std::move(features)) {}

VarietyMonitor::VarietyMonitor(const Tensor& data, const std::vector<int64_t>& labels, int64_t classes,
                               Features features)
    : features_(std::move(features)) {
    const Tensor of_data = features_of(data);
    width_ = of_data.size(1);
    const int64_t n = of_data.size(0);
    lily::check(labels.empty() || static_cast<int64_t>(labels.size()) == n,
                "[monitor] expected {} labels or none, got {}", n, labels.size());
    const float* x = of_data.data<float>();
    std::vector<size_t> of_class(static_cast<size_t>(n));
    if (!labels.empty()) {
        means_.assign(
            static_cast<size_t>(classes),
            std::vector<double>(static_cast<size_t>(width_), std::numeric_limits<double>::infinity()));
        for (size_t i = 0; i < labels.size(); ++i) {
            lily::check(labels[i] >= 0 && labels[i] < classes, "[monitor] expected labels of 0 to {}, got {}",
                        classes - 1, labels[i]);
            of_class[i] = static_cast<size_t>(labels[i]);
        }
        average(means_, of_data, of_class);
    } else {
        for (int64_t c = 0; c < std::min(kClusters, n); ++c)
            means_.emplace_back(x + c * width_, x + (c + 1) * width_);
        for (int64_t round = 0; round < kRounds; ++round) {
            for (int64_t i = 0; i < n; ++i) of_class[static_cast<size_t>(i)] = nearest(x + i * width_);
            average(means_, of_data, of_class);
        }
    }
    variance_of_data_ = variance_of(of_data);
    kinds_of_data_ = kinds(of_data);
}

Tensor VarietyMonitor::features_of(const Tensor& samples) const {
    const NoGrad no_grad;
    Tensor features = features_(samples).detach().to(Device::cpu).contiguous();
    lily::check(
        features.rank() == 2 && features.dtype() == DType::f32 && (width_ == 0 || features.size(1) == width_),
        "[monitor] expected samples with features (N,{}) of f32, got {}",
        width_ == 0 ? std::string("K") : std::to_string(width_), features.shape());
    return features;
}

size_t VarietyMonitor::nearest(const float* features) const {
    size_t best = 0;
    double least = std::numeric_limits<double>::infinity();
    for (size_t c = 0; c < means_.size(); ++c) {
        double distance = 0;
        for (size_t k = 0; k < static_cast<size_t>(width_); ++k) {
            const double d = features[k] - means_[c][k];
            distance += d * d;
        }
        if (distance < least) {
            least = distance;
            best = c;
        }
    }
    return best;
}

double VarietyMonitor::kinds(const Tensor& features) const {
    std::vector<double> counts(means_.size());
    const float* x = features.data<float>();
    const int64_t n = features.size(0);
    for (int64_t i = 0; i < n; ++i) ++counts[nearest(x + i * width_)];
    double entropy = 0;
    for (const double count : counts)
        if (count > 0) entropy -= count / static_cast<double>(n) * std::log(count / static_cast<double>(n));
    return std::exp(entropy);
}

Variety VarietyMonitor::check(const Tensor& samples) const {
    const Tensor features = features_of(samples);
    Variety v{.kinds = kinds(features),
              .kinds_of_data = kinds_of_data_,
              .variance = variance_of_data_ > 0 ? variance_of(features) / variance_of_data_ : 1};
    if (!(v.kinds >= kFewestKinds * kinds_of_data_))
        v.problem =
            fmt::format("the samples are of {:.1f} kinds, the data of {:.1f}", v.kinds, v.kinds_of_data);
    else if (!(v.variance >= kLeastVariance))
        v.problem = fmt::format("the samples vary {:.0f} % as much as the data", 100 * v.variance);
    return v;
}

}  // namespace lily::train
