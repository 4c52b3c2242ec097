// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "framework/tensor.h"

namespace lily::models {

// Mean and covariance (divided by N - 1) of features (N,D), in f64: the same bits for any order of the rows.
struct FeatureStatistics {
    int64_t size = 0;                // D
    std::vector<double> mean;        // (D)
    std::vector<double> covariance;  // (D,D)
};
FeatureStatistics feature_statistics(const Tensor& features);

// The squared Fréchet distance of two normal distributions (Heusel et al. 2017):
//   |μ₁ - μ₂|² + tr(C₁ + C₂ - 2 (C₁^½ C₂ C₁^½)^½)
// The last trace is the sum of the singular values of C₂^½ C₁^½, exact to rounding for covariances without
// full rank too: of a set and itself the distance is below 1e-9 tr(C).
double frechet_distance(const FeatureStatistics& a, const FeatureStatistics& b);

}  // namespace lily::models
