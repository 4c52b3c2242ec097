// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <numeric>

#include "framework/data/loader.h"
#include "framework/ops.h"
#include "framework/random.h"
#include "models/metrics/frechet_distance.h"
#include "models/metrics/nearest.h"
#include "models/metrics/precision_recall.h"
#include "models/metrics/symmetric_eigen.h"
#include "tests/catch.h"
#include "tests/framework/io/io_test.h"

namespace lily::testing {
namespace {

using namespace models;
using Catch::Matchers::ContainsSubstring;

std::vector<double> random_symmetric(int64_t n, uint64_t seed) {
    Generator random(seed);
    std::vector<double> a = randn({n, n}, random, {.dtype = DType::f64}).to_vector<double>();
    const auto m = static_cast<size_t>(n);
    for (size_t i = 0; i < m; ++i)
        for (size_t j = 0; j < i; ++j) a[j * m + i] = a[i * m + j];
    return a;
}

double largest(const std::vector<double>& a) {
    double most = 0;
    for (const double x : a) most = std::max(most, std::fabs(x));
    return most;
}

// Normal features with a mean and a factor per dimension.
Tensor normal_features(int64_t n, const std::vector<double>& mean, const std::vector<double>& factor,
                       uint64_t seed) {
    Generator random(seed);
    const auto d = static_cast<int64_t>(mean.size());
    std::vector<double> x = randn({n, d}, random, {.dtype = DType::f64}).to_vector<double>();
    for (size_t i = 0; i < x.size(); ++i) x[i] = mean[i % mean.size()] + factor[i % mean.size()] * x[i];
    return from_vector(x, {n, d});
}

}  // namespace

TEST_CASE("symmetric eigen: V diag(λ) Vᵀ is the matrix, V is orthogonal", "[metrics]") {
    for (const int64_t size : {1, 2, 3, 17, 64}) {
        const std::vector<double> a = random_symmetric(size, 5);
        const SymmetricEigen eigen = symmetric_eigen(a, size);
        const auto n = static_cast<size_t>(size);
        double error = 0, turned = 0;
        for (size_t i = 0; i < n; ++i)
            for (size_t j = 0; j < n; ++j) {
                double sum = 0, dot = 0;
                for (size_t k = 0; k < n; ++k) {
                    sum += eigen.vectors[i * n + k] * eigen.values[k] * eigen.vectors[j * n + k];
                    dot += eigen.vectors[k * n + i] * eigen.vectors[k * n + j];
                }
                error = std::max(error, std::fabs(sum - a[i * n + j]));
                turned = std::max(turned, std::fabs(dot - (i == j)));
            }
        INFO("n = " << size);
        CHECK(error <= 1e-12 * static_cast<double>(size));
        CHECK(turned <= 1e-13 * static_cast<double>(size));
    }
}

TEST_CASE("symmetric eigen: special matrices", "[metrics]") {
    CHECK(symmetric_eigen({}, 0).values.empty());
    CHECK(symmetric_eigen(std::vector<double>(9), 3).values == std::vector<double>(3));
    std::vector<double> values = symmetric_eigen({2, 0, 1, 2}, 2).values;  // only the lower half is read
    std::sort(values.begin(), values.end());
    CHECK(values[0] == Approx(1).epsilon(1e-14));
    CHECK(values[1] == Approx(3).epsilon(1e-14));
    // Very different sizes, and equal values.
    const SymmetricEigen scaled = symmetric_eigen({1e150, 0, 0, 0, 1e-150, 0, 0, 0, 1e-150}, 3);
    CHECK(largest(scaled.values) == 1e150);
    CHECK_THAT(io::error_of([] {
                   symmetric_eigen({1, 2}, 2);
               }),
               ContainsSubstring("expected 4 elements, got 2"));
    CHECK_THAT(io::error_of([] { symmetric_eigen({1, 0, NAN, 1}, 2); }), ContainsSubstring("(1,0) is nan"));
}

TEST_CASE("symmetric sqrt: its square is the matrix; rounding below 0 counts as 0", "[metrics]") {
    const int64_t n = 20;
    const std::vector<double> b = random_symmetric(n, 9);
    std::vector<double> a(400), square(400);
    for (size_t i = 0; i < 20; ++i)
        for (size_t k = 0; k < 20; ++k)
            for (size_t j = 0; j < 20; ++j) a[i * 20 + j] += b[i * 20 + k] * b[k * 20 + j];
    const std::vector<double> root = symmetric_sqrt(a, n);
    for (size_t i = 0; i < 20; ++i)
        for (size_t k = 0; k < 20; ++k)
            for (size_t j = 0; j < 20; ++j) square[i * 20 + j] += root[i * 20 + k] * root[k * 20 + j];
    for (size_t i = 0; i < 400; ++i) square[i] -= a[i];
    CHECK(largest(square) <= 1e-12 * largest(a));
    CHECK(symmetric_sqrt({-1e-18}, 1)[0] == 0);
}

TEST_CASE("fréchet distance: what the formula gives where it is known", "[metrics]") {
    // Of diagonal covariances: Σ (μ₁ - μ₂)² + (σ₁ - σ₂)².
    FeatureStatistics a{2, {1, 2}, {4, 0, 0, 9}}, b{2, {0, 4}, {1, 0, 0, 25}};
    CHECK(frechet_distance(a, b) == Approx(1 + 4 + 1 + 4).epsilon(1e-13));
    CHECK(frechet_distance(a, a) == Approx(0).margin(1e-12));
    // Commuting matrices, not diagonal: C₂ = 4 C₁, so the root of the product is 2 C₁.
    FeatureStatistics c{2, {0, 0}, {2, 1, 1, 2}}, d{2, {0, 0}, {8, 4, 4, 8}};
    CHECK(frechet_distance(c, d) == Approx(4 * 1 + 16 - 2 * 2 * 4).epsilon(1e-13));
    // Not commuting: tr √(C₁ C₂) = √λ₁ + √λ₂ = √(tr + 2 √det) of C₁ C₂.
    FeatureStatistics e{2, {0, 0}, {1, 0, 0, 4}}, f{2, {0, 0}, {2, 1, 1, 3}};
    CHECK(frechet_distance(e, f) == Approx(5 + 5 - 2 * std::sqrt(14 + 2 * std::sqrt(20.0))).epsilon(1e-13));
    CHECK(frechet_distance(f, e) == Approx(frechet_distance(e, f)).epsilon(1e-13));
    CHECK_THAT(io::error_of([&] { frechet_distance(a, {1, {0}, {1}}); }), ContainsSubstring("got 2 and 1"));
}

TEST_CASE("fréchet distance: statistics of features", "[metrics]") {
    const FeatureStatistics s = feature_statistics(from_vector<double>({1, 2, 3, 6, 5, 4}, {3, 2}));
    CHECK(s.mean == std::vector<double>{3, 4});
    CHECK(s.covariance[0] == Approx(4));
    CHECK(s.covariance[1] == Approx(2));
    CHECK(s.covariance[2] == Approx(2));
    CHECK(s.covariance[3] == Approx(4));
    CHECK_THAT(io::error_of([] { feature_statistics(zeros({1, 2})); }), ContainsSubstring("got (1,2)"));
    const Tensor x = normal_features(20000, {0, 1, -2}, {1, 2, 0.5}, 1),
                 y = normal_features(20000, {1, 1, -2}, {1, 1, 0.5}, 2);
    CHECK(frechet_distance(feature_statistics(x), feature_statistics(y)) == Approx(2).epsilon(0.05));
}

TEST_CASE("fréchet distance: nothing from a set to itself, in any order, with dead features too",
          "[metrics]") {
    for (const double dead : {1.0, 1e-9, 0.0}) {
        // 48 features of 40 samples: no full rank; a third is nearly or fully dead.
        std::vector<double> factor(48), mean(48, 0.5);
        for (size_t i = 0; i < factor.size(); ++i)
            factor[i] = (i % 3 == 0 ? dead : 1) * std::pow(2.0, double(i) / 8);
        const Tensor x = normal_features(40, mean, factor, 7);
        const std::vector<double> values = x.to_vector<double>();
        std::vector<double> reversed;
        for (size_t row = 40; row-- > 0;)
            reversed.insert(reversed.end(), values.begin() + static_cast<std::ptrdiff_t>(48 * row),
                            values.begin() + static_cast<std::ptrdiff_t>(48 * (row + 1)));
        const FeatureStatistics a = feature_statistics(x),
                                b = feature_statistics(from_vector(reversed, {40, 48}));
        CHECK(a.mean == b.mean);
        CHECK(a.covariance == b.covariance);
        double trace = 0;
        for (size_t i = 0; i < 48; ++i) trace += a.covariance[i * 48 + i];
        CHECK(frechet_distance(a, b) >= 0);
        CHECK(frechet_distance(a, b) <= 1e-9 * trace);
        // The same set, moved: the square of the distance of the means alone.
        FeatureStatistics moved = a;
        moved.mean[3] += 2;
        CHECK_THAT(frechet_distance(a, moved), Catch::Matchers::WithinAbs(4, 1e-12 * trace));
    }
}

TEST_CASE("singular values: roots of the eigenvalues of A Aᵀ, small ones too", "[metrics]") {
    for (const int64_t size : {1, 2, 17, 48}) {
        const auto n = static_cast<size_t>(size);
        const std::vector<double> a = random_symmetric(size, 3);
        std::vector<double> found = singular_values(a, size), expected = symmetric_eigen(a, size).values;
        for (double& value : expected) value = std::fabs(value);
        std::sort(found.begin(), found.end());
        std::sort(expected.begin(), expected.end());
        for (size_t i = 0; i < n; ++i)
            CHECK_THAT(found[i], Catch::Matchers::WithinAbs(expected[i], 1e-13 * expected[n - 1]));
    }
    CHECK(singular_values({0, 0, 0, 0}, 2) == std::vector<double>{0, 0});
    CHECK_THROWS(singular_values({1, 2, 3}, 2));
}

TEST_CASE("precision and recall: by the definition", "[metrics]") {
    // On a line, k = 1: the data's radii are 1, 1, 7; the samples' 1, 1, 30.
    const Tensor data = from_vector(std::vector<double>{0, 1, 8}, {3, 1});
    const Tensor made = from_vector(std::vector<double>{-0.5, 0.5, 40.5}, {3, 1});
    const PrecisionRecall found = precision_recall(data, made, 1);
    CHECK(found.precision == 2.0 / 3);  // 40.5 is far from all data
    CHECK(found.recall == 1);           // 8 is within 40 of 40.5
    const PrecisionRecall other = precision_recall(made, data, 1);
    CHECK(other.precision == 1);
    CHECK(other.recall == 2.0 / 3);
    const Tensor x = normal_features(60, {0, 0, 0}, {1, 2, 3}, 1);
    CHECK(precision_recall(x, x).precision == 1);
    CHECK(precision_recall(x, x).recall == 1);
    // Samples of one corner of the data: good ones, without variety. Ones far away: neither.
    const Tensor narrow = normal_features(60, {0, 0, 0}, {0.05, 0.05, 0.05}, 2);
    CHECK(precision_recall(x, narrow).precision == 1);
    CHECK(precision_recall(x, narrow).recall < 0.1);
    CHECK(precision_recall(x, narrow + 50).precision == 0);
    // By loops, every pair on its own.
    const Tensor y = normal_features(50, {1, 0, 0}, {2, 2, 2}, 3);
    const auto distance = [](const Tensor& a, size_t i, const Tensor& b, size_t j) {
        double sum = 0;
        for (size_t d = 0; d < 3; ++d)
            sum += std::pow(a.to_vector<double>()[3 * i + d] - b.to_vector<double>()[3 * j + d], 2);
        return sum;
    };
    int within = 0;
    for (size_t i = 0; i < 50; ++i) {
        bool found_one = false;
        for (size_t j = 0; j < 60 && !found_one; ++j) {
            std::vector<double> own;
            for (size_t l = 0; l < 60; ++l) own.push_back(distance(x, j, x, l));
            std::sort(own.begin(), own.end());
            found_one = distance(y, i, x, j) <= own[3];  // own[0] is to itself
        }
        within += found_one;
    }
    CHECK(precision_recall(x, y).precision == within / 50.0);
    CHECK((within > 5 && within < 50));
    CHECK_THROWS_WITH(precision_recall(data, made), ContainsSubstring("more than k = 3 points"));
    CHECK_THROWS_WITH(precision_recall(data, x), ContainsSubstring("(N,D) and (M,D)"));
}

TEST_CASE("nearest pictures: by the plain formula, over several pieces", "[metrics]") {
    data::Dataset set{.count = 5000, .channels = 1, .height = 1, .width = 6};
    Generator random(4);
    for (int64_t i = 0; i < set.count * 6; ++i)
        set.pixels.push_back(static_cast<uint8_t>(random.next() & 255));
    const std::vector<int64_t> own = {7, 4999, 4096, 0};
    Tensor pictures = data::to_pixels(set, own);
    const auto at = [&](int64_t i, int64_t k) {
        return set.pixels[static_cast<size_t>(i * 6 + k)] / 127.5 - 1;
    };
    const std::vector<Nearest> itself = nearest_pictures(pictures, set);
    const std::vector<Nearest> others = nearest_pictures(pictures, set, own);
    for (size_t p = 0; p < own.size(); ++p) {
        CHECK(itself[p].index == own[p]);
        CHECK(itself[p].distance <= 2e-3);
        double least = 1e9;
        int64_t best = -1;
        for (int64_t i = 0; i < set.count; ++i) {
            double d = 0;
            for (int64_t k = 0; k < 6; ++k) d += std::pow(at(i, k) - at(own[p], k), 2);
            if (i != own[p] && d < least) {
                least = d;
                best = i;
            }
        }
        CHECK(others[p].index == best);
        CHECK(others[p].distance == Approx(std::sqrt(least)).epsilon(1e-3));
    }
    CHECK_THAT(io::error_of([&] {
                   nearest_pictures(zeros({1, 5}), set);
               }),
               ContainsSubstring("expected (N,6)"));
    CHECK_THAT(io::error_of([&] { nearest_pictures(pictures, set, {1}); }),
               ContainsSubstring("4 pictures to exclude"));
}

}  // namespace lily::testing
