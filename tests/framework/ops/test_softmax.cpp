// SPDX-License-Identifier: MIT
#include <cmath>

#include "framework/autograd.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"
#include "tests/framework/ops/golden.h"

namespace lily::testing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::vector<OpCase> softmax_cases() {
    std::vector<OpCase> all;
    const std::vector<std::pair<Shape, int64_t>> shapes = {
        {{}, 0},     {{1}, 0},           {{31}, -1},         {{32}, 0},       {{33}, 0},
        {{1023}, 0}, {{5, 17}, 1},       {{5, 17}, 0},       {{3, 4, 70}, 1}, {{0, 5}, 1},
        {{5, 0}, 1}, {{2, 16, 3, 5}, 1}, {{2, 16, 3, 5}, -1}};
    for (const auto& [shape, dim] : shapes) {
        const std::string suffix = fmt::format(" {} over {}", shape, dim);
        all.push_back({.name = "softmax" + suffix,
                       .shapes = {shape},
                       .op = [dim = dim](const Tensors& x) { return softmax(x[0], dim); },
                       .scale = 3,
                       .formats = shape.rank() == 4});
        all.push_back({.name = "log_softmax" + suffix,
                       .shapes = {shape},
                       .op = [dim = dim](const Tensors& x) { return log_softmax(x[0], dim); },
                       .scale = 3,
                       .formats = shape.rank() == 4});
    }
    const auto row_max = [](const Tensor& x) { return amax(x.detach(), {1}, true); };
    all.push_back({.name = "softmax against its formula",
                   .shapes = {{4, 9}},
                   .op = [](const Tensors& x) { return softmax(x[0], 1); },
                   .reference =
                       [row_max](const Tensors& x) {
                           const Tensor e = exp(x[0] - row_max(x[0]));
                           return e / sum(e, {1}, true);
                       }});
    all.push_back({.name = "log_softmax against its formula",
                   .shapes = {{4, 9}},
                   .op = [](const Tensors& x) { return log_softmax(x[0], 1); },
                   .reference =
                       [row_max](const Tensors& x) {
                           const Tensor shifted = x[0] - row_max(x[0]);
                           return shifted - log(sum(exp(shifted), {1}, true));
                       }});
    return all;
}

const AddCases registered{softmax_cases()};

}  // namespace

TEST_CASE("softmax equals PyTorch's", "[ops][softmax]") {
    check_golden("softmax.dim1", {"x"}, [](const Tensors& x) { return softmax(x[0], 1); });
    check_golden("log_softmax.dim1", {"x"}, [](const Tensors& x) { return log_softmax(x[0], 1); });
    check_golden("log_softmax.huge", {"x"}, [](const Tensors& x) { return log_softmax(x[0], 1); });
}

TEST_CASE("softmax of huge, infinite and NaN values", "[ops][softmax]") {
    for (const int64_t n : {2, 40}) {  // below and above one vector
        INFO(n << " elements");
        std::vector<float> values(static_cast<size_t>(n), -kInfinity);
        values[0] = 1e30f;
        const Tensor one = from_vector(values, {1, n});
        for (const Tensor& row : {one, one.reshape({1, n, 1}), expand(one.reshape({1, n, 1}), {1, n, 3})}) {
            const auto y = softmax(row, 1).to_vector(), log_y = log_softmax(row, 1).to_vector();
            CHECK(y.front() == 1);
            CHECK(y.back() == 0);
            CHECK(log_y.front() == 0);
            CHECK(log_y.back() == -kInfinity);
        }
        CHECK(std::isnan(softmax(full({1, n}, -kInfinity), 1).to_vector()[0]));  // nothing to choose from
        CHECK(std::isnan(log_softmax(full({1, n}, -kInfinity), 1).to_vector()[0]));
        CHECK(softmax(full({1, n}, 3e38), 1).to_vector()[0] == Approx(1.0 / static_cast<double>(n)));
        values.back() = std::numeric_limits<float>::quiet_NaN();
        CHECK(std::isnan(softmax(from_vector(values, {n}), 0).to_vector()[0]));
        CHECK(std::isnan(log_softmax(from_vector(values, {n}), 0).to_vector()[0]));
    }
    // a masked entry takes no part in the gradient
    Tensor x = from_vector<float>({0, -kInfinity, 0}, {3}).set_requires_grad();
    sum(square(softmax(x, 0))).backward();
    CHECK(x.grad().to_vector() == std::vector<float>{0, 0, 0});
}

TEST_CASE("softmax rows sum to one, for a vocabulary's worth of classes", "[ops][softmax]") {
    const Tensor y = softmax(reshape(arange(100'000) / 30'000.0, {2, 50'000}), 1);
    for (const double total : sum(y, {1}).to_vector<double>()) CHECK(std::fabs(total - 1) < 1e-6);
}

TEST_CASE("softmax errors", "[ops][softmax]") {
    CHECK_THROWS_WITH(softmax(zeros({2, 3}), 2),
                      "[softmax] dimension 2 is out of range for a tensor of rank 2");
    CHECK_THROWS_WITH(log_softmax(zeros({3}, {.dtype = DType::i64}), 0),
                      "[log_softmax] expected a tensor of f32 or f64, got i64");
}

}  // namespace lily::testing
