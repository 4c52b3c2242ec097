// SPDX-License-Identifier: MIT
#include "framework/train/monitor.h"

#include <cmath>

#include "framework/ops.h"
#include "tests/framework/io/io_test.h"

namespace lily::train {
namespace {

// A turn of a random angle around the origin, one of `classes` radii: what tells the classes apart is no
// number of the point itself.
Tensor rings(const std::vector<int64_t>& radii, Generator& random) {
    const Tensor turns = rand({static_cast<int64_t>(radii.size())}, random) * 6.283185307179586;
    std::vector<float> points;
    const std::vector<double> angles = turns.to_vector<double>();
    for (size_t i = 0; i < radii.size(); ++i)
        for (const double x : {std::cos(angles[i]), std::sin(angles[i])})
            points.push_back(static_cast<float>((1 + static_cast<double>(radii[i])) * x));
    return from_vector(points, {static_cast<int64_t>(radii.size()), 2});
}

std::vector<int64_t> in_turn(const std::vector<int64_t>& classes, size_t count) {
    std::vector<int64_t> list;
    for (size_t i = 0; i < count; ++i) list.push_back(classes[i % classes.size()]);
    return list;
}

TEST_CASE("VarietyMonitor: kinds by features that are not the samples themselves", "[train]") {
    Generator random(1);
    const std::vector<int64_t> labels = in_turn({0, 1, 2, 3}, 400);
    const Tensor data = rings(labels, random);
    const auto radius = [](const Tensor& x) { return sqrt(sum(square(x), {1}, true)); };
    const VarietyMonitor by_radius(data, labels, 4, radius), by_place(data, labels, 4);
    const Variety all = by_radius.check(rings(in_turn({0, 1, 2, 3}, 200), random));
    CHECK(all.problem.empty());
    CHECK(all.kinds == Approx(4).epsilon(1e-6));
    CHECK(all.kinds_of_data == Approx(4).epsilon(1e-6));
    CHECK(all.variance == Approx(1).epsilon(0.05));
    const Tensor one_ring = rings(in_turn({2}, 200), random);
    const Variety one = by_radius.check(one_ring);
    CHECK(one.kinds == Approx(1));
    CHECK(one.problem == "the samples are of 1.0 kinds, the data of 4.0");
    CHECK(by_place.check(one_ring).kinds > 2);                             // their places say nothing of that
    CHECK(VarietyMonitor(data, {}, 0, radius).check(one_ring).kinds < 4);  // clusters of the same feature
}

TEST_CASE("VarietyMonitor: what it cannot work with is named", "[train]") {
    Generator random(1);
    const Tensor data = rings(in_turn({0, 1}, 20), random);
    CHECK(io::error_of([&] {
              VarietyMonitor(data, {0, 1}, 2);
          }) == "[monitor] expected 20 labels or none, got 2");
    CHECK(io::error_of([&] { VarietyMonitor(data, std::vector<int64_t>(20, 2), 2); }) ==
          "[monitor] expected labels of 0 to 1, got 2");
    CHECK(io::error_of([&] {
              VarietyMonitor(data, {}, 0).check(zeros({4, 3}));
          }) == "[monitor] expected samples with features (N,2) of f32, got (4,3)");
}

}  // namespace
}  // namespace lily::train
