// SPDX-License-Identifier: MIT
#include <cmath>
#include <limits>

#include "framework/autograd.h"
#include "tests/catch.h"
#include "tests/framework/check_edges.h"
#include "tests/framework/check_op.h"
#include "tests/framework/ops/golden.h"

namespace lily::testing {
namespace {

// Of the last dimension, by the definition.
Tensor by_definition(const Tensors& x, double eps) {
    const Tensor centred = x[0] - mean(x[0], {-1}, true);
    const Tensor y = centred / sqrt(mean(square(centred), {-1}, true) + eps);
    return x.size() == 3 ? y * x[1] + x[2] : y;
}

std::vector<OpCase> layer_norm_cases() {
    std::vector<OpCase> all;
    for (const Shape& shape :
         {Shape{7}, Shape{3, 33}, Shape{2, 5, 16}, Shape{70, 12}, Shape{2, 300}, Shape{0, 4}}) {
        const Shape last{shape[shape.rank() - 1]};
        all.push_back({.name = fmt::format("layer_norm {}", shape),
                       .shapes = {shape, last, last},
                       .op = [last](const Tensors& x) { return layer_norm(x[0], last, x[1], x[2]); },
                       .reference = [](const Tensors& x) { return by_definition(x, 1e-5); }});
        all.push_back({.name = fmt::format("layer_norm {} without weights", shape),
                       .shapes = {shape},
                       .op = [last](const Tensors& x) { return layer_norm(x[0], last, {}, {}, 1e-3); },
                       .reference = [](const Tensors& x) { return by_definition(x, 1e-3); }});
    }
    all.push_back({.name = "layer_norm over planes, a weight alone",
                   .shapes = {{2, 16, 3, 5}, {3, 5}},
                   .op =
                       [](const Tensors& x) {
                           return layer_norm(x[0], {3, 5}, x[1]);
                       },
                   .formats = true});
    all.push_back({.name = "layer_norm, a bias alone", .shapes = {{4, 9}, {9}}, .op = [](const Tensors& x) {
                       return layer_norm(x[0], {9}, {}, x[1]);
                   }});
    return all;
}
const AddCases registered{layer_norm_cases()};

const double kNan = std::numeric_limits<double>::quiet_NaN();
const double r = 1 / std::sqrt(80.0);  // of 0, 8, 16, 24 around their mean, 12
const AddEdges edges{{
    {.name = "layer_norm of a small spread around a large mean",
     .inputs = {{{1e8, 1e8 + 8, 1e8 + 16, 1e8 + 24}, {1, 4}}},
     .op = [](const Tensors& x) { return layer_norm(x[0], {4}, {}, {}, 1e-12); },
     .want = {-12 * r, -4 * r, 4 * r, 12 * r},
     .gradients = {{0.3 * r, -0.4 * r, -0.1 * r, 0.2 * r}},
     .dy = {1, 0, 0, 0},
     .tolerance = 2e-6},
    {.name = "layer_norm of equal values, eps 0",
     .inputs = {{{5, 5, 5, 5}, {2, 2}}, {{1, 2}}, {{3, 4}}},
     .op = [](const Tensors& x) { return layer_norm(x[0], {2}, x[1], x[2], 0); },
     .want = {3, 4, 3, 4},
     .gradients = {{0, 0, 0, 0}, {0, 0}, {2, 2}}},
    {.name = "layer_norm: NaN stays in its row",
     .inputs = {{{1, kNan, 1, -1}, {2, 2}}},
     .op = [](const Tensors& x) { return layer_norm(x[0], {2}, {}, {}, 0); },
     .want = {kNan, kNan, 1, -1},
     .gradients = {{kNan, kNan, 0, 0}}},
}};

}  // namespace

TEST_CASE("layer_norm equals PyTorch's", "[ops][layer_norm]") {
    check_golden("layer_norm", {"x", "weight", "bias"}, [](const Tensors& x) {
        return layer_norm(x[0], {3, 4}, x[1], x[2], 1e-3);
    });
}

TEST_CASE("layer_norm: a row has the same bits alone", "[ops][layer_norm]") {
    const Tensor x = square(reshape(arange(50 * 77), {50, 77}) - 1000.0) * 1e-5, w = arange(77) * 0.1;
    const auto all = layer_norm(x, {77}, w, w).to_vector();
    for (const int64_t row : {0, 7, 49}) {
        const auto alone = layer_norm(slice(x, 0, row, row + 1), {77}, w, w).to_vector();
        CHECK(std::equal(alone.begin(), alone.end(), all.begin() + row * 77));
    }
}

TEST_CASE("layer_norm errors", "[ops][layer_norm]") {
    const Tensor x = zeros({2, 3});
    CHECK_THROWS_WITH(layer_norm(x, {2}),
                      "[layer_norm] expected x (…) that ends in normalized_shape (2), got (2,3)");
    CHECK_THROWS_WITH(layer_norm(x, {3}, zeros({2})), "[layer_norm] expected a weight (3), got (2)");
    CHECK_THROWS_WITH(layer_norm(x, {3}, {}, zeros({3}, {.dtype = DType::f64})),
                      "[layer_norm] expected equal dtypes, got x f32 and bias f64");
    CHECK_THROWS_WITH(layer_norm(x, {3}, {}, {}, -1), "[layer_norm] expected eps >= 0, got -1");
}

}  // namespace lily::testing
