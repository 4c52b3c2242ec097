// SPDX-License-Identifier: MIT
// The edge cases of all ops but those that docs/kinks.md lists (test_kinks.cpp).
#include <cmath>
#include <limits>

#include "tests/catch.h"
#include "tests/framework/check_edges.h"

namespace lily::testing {
namespace {

using Tensors = std::vector<Tensor>;

constexpr double kInf = std::numeric_limits<double>::infinity(),
                 kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<double> repeated(const std::vector<double>& values, int64_t times) {
    std::vector<double> all;
    for (int64_t i = 0; i < times; ++i)
        for (const double v : values) all.push_back(v);
    return all;
}
std::vector<double> same(int64_t n, double value) { return repeated({value}, n); }

// Where PyTorch takes what would be easy to refuse.
std::vector<EdgeCase> shape_edges() {
    const EdgeInput x{{1, 2, 3, 4, 5, 6}, {2, 3}}, number{{7}, {}};
    return {
        {.name = "sum over no dimension is one over all",
         .inputs = {x},
         .op = [](const Tensors& v) { return sum(v[0], {}); },
         .want = {21},
         .gradients = {same(6, 2)},
         .dy = {2}},
        {.name = "mean over no dimension is one over all",
         .inputs = {x},
         .op = [](const Tensors& v) { return mean(v[0], {}); },
         .want = {3.5},
         .gradients = {same(6, 1)},
         .dy = {6}},
        {.name = "amax over no dimension is one over all",
         .inputs = {x},
         .op = [](const Tensors& v) { return amax(v[0], {}); },
         .want = {6},
         .gradients = {{0, 0, 0, 0, 0, 1}}},
        {.name = "sum of a scalar over its one dimension",
         .inputs = {number},
         .op = [](const Tensors& v) { return sum(v[0], {0}) + mean(v[0], {-1}) + amax(v[0], {0}); },
         .want = {21},
         .gradients = {{3}}},
        {.name = "squeeze of a dimension that is not 1",
         .inputs = {x},
         .op = [](const Tensors& v) { return squeeze(v[0], 0) * 2.0; },
         .want = {2, 4, 6, 8, 10, 12},
         .gradients = {same(6, 2)}},
        {.name = "squeeze of a scalar",
         .inputs = {number},
         .op = [](const Tensors& v) { return squeeze(v[0], -1) * 2.0; },
         .want = {14}},
        // y[i] = Σ x[j] w[t] where i = j + 2 t; one more row and column, which belong to no x
        {.name = "conv_transpose2d, stride <= output_padding < dilation",
         .inputs = {{{1, 2}, {1, 1, 1, 2}}, {{1, 10}, {1, 1, 1, 2}}},
         .op =
             [](const Tensors& v) {
                 return conv_transpose2d(v[0], v[1], {},
                                         {.stride = {1, 1}, .output_padding = {1, 1}, .dilation = {2, 2}});
             },
         .want = {1, 2, 10, 20, 0, 0, 0, 0, 0, 0},
         .gradients = {{11, 11}, {3, 3}}},
        // cut off by one on both sides, and given back the right one
        {.name = "conv_transpose2d, output_padding gives back what padding cuts off",
         .inputs = {{{1, 2}, {1, 1, 1, 2}}, {{1, 10}, {1, 1, 1, 2}}, {{100}}},
         .op =
             [](const Tensors& v) {
                 return conv_transpose2d(
                     v[0], v[1], v[2],
                     {.stride = {1, 1}, .padding = {0, 1}, .output_padding = {0, 1}, .dilation = {2, 2}});
             },
         .want = {102, 110, 120},
         .gradients = {{10, 11}, {2, 3}, {3}}},
    };
}

const AddEdges shapes{shape_edges()};

}  // namespace
}  // namespace lily::testing
