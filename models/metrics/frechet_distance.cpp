// SPDX-License-Identifier: MIT
#include "models/metrics/frechet_distance.h"

#include <algorithm>
#include <cmath>

#include "models/metrics/symmetric_eigen.h"

namespace lily::models {
namespace {

// A B of square matrices
std::vector<double> product(const std::vector<double>& a, const std::vector<double>& b, size_t n) {
    std::vector<double> c(n * n);
    for (size_t i = 0; i < n; ++i)
        for (size_t k = 0; k < n; ++k)
            for (size_t j = 0; j < n; ++j) c[i * n + j] += a[i * n + k] * b[k * n + j];
    return c;
}

}  // namespace

FeatureStatistics feature_statistics(const Tensor& features) {
    check(features.rank() == 2 && features.size(0) >= 2,
          "[feature_statistics] expected (N,D) with N of at least 2, got {}", features.shape());
    const auto n = static_cast<size_t>(features.size(0)), d = static_cast<size_t>(features.size(1));
    const std::vector<double> given = features.to_vector<double>();
    std::vector<const double*> order;
    for (size_t i = 0; i < n; ++i) order.push_back(&given[i * d]);
    std::sort(order.begin(), order.end(), [d](const double* a, const double* b) {
        return std::lexicographical_compare(a, a + d, b, b + d);
    });
    std::vector<double> x;
    for (const double* row : order) x.insert(x.end(), row, row + d);
    FeatureStatistics s{features.size(1), std::vector<double>(d), std::vector<double>(d * d)};
    for (size_t i = 0; i < n; ++i)
        for (size_t k = 0; k < d; ++k) s.mean[k] += x[i * d + k] / static_cast<double>(n);
    for (size_t i = 0; i < n; ++i) {
        double* row = &x[i * d];
        for (size_t k = 0; k < d; ++k) row[k] -= s.mean[k];
        for (size_t k = 0; k < d; ++k)
            for (size_t l = 0; l < d; ++l)
                s.covariance[k * d + l] += row[k] * row[l] / static_cast<double>(n - 1);
    }
    return s;
}

double frechet_distance(const FeatureStatistics& a, const FeatureStatistics& b) {
    check(a.size == b.size, "[frechet_distance] expected features of one size, got {} and {}", a.size,
          b.size);
    const auto n = static_cast<size_t>(a.size);
    double distance = 0;
    for (size_t i = 0; i < n; ++i) {
        distance += (a.mean[i] - b.mean[i]) * (a.mean[i] - b.mean[i]);
        distance += a.covariance[i * n + i] + b.covariance[i * n + i];
    }
    const std::vector<double> roots =
        product(symmetric_sqrt(b.covariance, b.size), symmetric_sqrt(a.covariance, a.size), n);
    for (const double value : singular_values(roots, a.size)) distance -= 2 * value;
    return std::max(distance, 0.0);  // below only by rounding
}

}  // namespace lily::models
