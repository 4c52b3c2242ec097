// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "framework/tensor.h"

namespace lily::models {

// Mean and covariance (divided by N - 1) of features (N,D), in f64.
struct FeatureStatistics {
    int64_t size = 0;                // D
    std::vector<double> mean;        // (D)
    std::vector<double> covariance;  // (D,D)
};
FeatureStatistics feature_statistics(const Tensor& features);

// The squared Fréchet distance of two normal distributions (Heusel et al. 2017):
//   |μ₁ - μ₂|² + tr(C₁ + C₂ - 2 (C₁^½ C₂ C₁^½)^½)
double frechet_distance(const FeatureStatistics& a, const FeatureStatistics& b);

}  // namespace lily::models
