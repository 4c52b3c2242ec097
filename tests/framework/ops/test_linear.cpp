// SPDX-License-Identifier: MIT
#include "framework/autograd.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"
#include "tests/framework/ops/golden.h"

namespace lily::testing {
namespace {

std::vector<OpCase> linear_cases() {
    std::vector<OpCase> all;
    const std::vector<std::pair<Shape, Shape>> pairs = {
        {{5}, {3, 5}},          {{1, 1}, {1, 1}},   {{4, 31}, {17, 31}}, {{2, 3, 5}, {4, 5}},
        {{2, 3, 2, 5}, {4, 5}}, {{17, 9}, {20, 9}}, {{0, 5}, {3, 5}},    {{3, 0}, {2, 0}}};
    for (const auto& [x, weight] : pairs) {
        all.push_back(
            {.name = fmt::format("linear {} by {}", x, weight),
             .shapes = {x, weight, {weight[0]}},
             .op = [](const Tensors& v) { return linear(v[0], v[1], v[2]); },
             .formats = x.rank() == 4,
             .reference = [](const Tensors& v) { return sum(unsqueeze(v[0], -2) * v[1], {-1}) + v[2]; }});
        all.push_back({.name = fmt::format("linear {} by {} without bias", x, weight),
                       .shapes = {x, weight},
                       .op = [](const Tensors& v) { return linear(v[0], v[1]); }});
        for (const double slope : {0.0, 0.2})
            all.push_back(
                {.name = fmt::format("linear_relu {} by {}, slope {}", x, weight, slope),
                 .shapes = {x, weight, {weight[0]}},
                 .op = [slope](const Tensors& v) { return linear_relu(v[0], v[1], v[2], slope); },
                 .formats = x.rank() == 4,
                 .reference =
                     [slope](const Tensors& v) { return leaky_relu(linear(v[0], v[1], v[2]), slope); }});
    }
    return all;
}

const AddCases registered{linear_cases()};

}  // namespace

TEST_CASE("linear: values, errors, only the gradients asked for", "[ops][linear]") {
    const Tensor w = from_vector<float>({1, 2, 3, 4, 5, 6}, {2, 3});
    const Tensor b = from_vector<float>({10, 20}, {2});
    CHECK(linear(from_vector<float>({1, 0, -1}, {3}), w, b).to_vector() == std::vector<float>{8, 18});
    CHECK(linear(zeros({4, 0}), zeros({2, 0}), b).to_vector() ==
          std::vector<float>{10, 20, 10, 20, 10, 20, 10, 20});
    CHECK_THROWS_WITH(linear(zeros({2, 4}), w, b), "[linear] expected x (…,3) for a weight (2,3), got (2,4)");
    CHECK_THROWS_WITH(linear(zeros({2, 3}), b), "[linear] expected a weight (out,in), got (2)");
    CHECK_THROWS_WITH(linear(zeros({2, 3}), w, zeros({3})),
                      "[linear] expected a bias (2) for a weight (2,3), got (3)");
    CHECK_THROWS_WITH(linear(zeros({2, 3}, {.dtype = DType::f64}), w),
                      "[linear] expected equal dtypes, got x f64 and weight f32");

    CHECK(linear_relu(from_vector<float>({1, 0, -1}, {3}), w, from_vector<float>({1, 4}, {2}), 0.5)
              .to_vector() == std::vector<float>{-0.5, 2});
    CHECK(linear_relu(from_vector<float>({1, 0, -1}, {3}), w).to_vector() == std::vector<float>{0, 0});
    CHECK_THROWS_WITH(linear_relu(zeros({2, 3}), w, {}, -1), "[linear_relu] expected a slope >= 0, got -1");
    CHECK_THROWS_WITH(linear_relu(zeros({2, 4}), w, b),
                      "[linear_relu] expected x (…,3) for a weight (2,3), got (2,4)");

    Tensor x = ones({2, 3}).set_requires_grad();
    Tensor weight = w.clone();
    const Tensor y = linear(x, weight);  // the gradient of x does not need x: it may change
    x.detach().fill_(7);
    sum(y).backward();
    CHECK(x.grad().to_vector() == std::vector<float>{5, 7, 9, 5, 7, 9});
    CHECK(!weight.grad().defined());
}

TEST_CASE("linear: PyTorch's values", "[ops][linear]") {
    check_golden("linear", {"input", "weight", "bias"},
                 [](const Tensors& x) { return linear(x[0], x[1], x[2]); });
}

}  // namespace lily::testing
