// SPDX-License-Identifier: MIT
#include "tests/catch.h"
#include "tests/framework/check_edges.h"
#include "tests/framework/check_op.h"
#include "tests/framework/ops/golden.h"

namespace lily::testing {
namespace {

const AddCases normalize_registered{{
    {.name = "normalize of rows",
     .shapes = {{5, 33}},
     .op = [](const Tensors& x) { return normalize(x[0], -1); }},
    {.name = "normalize of channels",
     .shapes = {{2, 16, 3, 5}},
     .op = [](const Tensors& x) { return normalize(x[0], 1); },
     .formats = true},
    {.name = "normalize with a large eps",
     .shapes = {{4, 3}},
     .op = [](const Tensors& x) { return normalize(x[0], 1, 1.7); }},
    {.name = "normalize of no rows",
     .shapes = {{0, 3}},
     .op = [](const Tensors& x) { return normalize(x[0], 1); }},
}};
const AddCases index_select_registered{{
    {.name = "index_select of rows",
     .shapes = {{5, 33}},
     .op =
         [](const Tensors& x) {
             return index_select(x[0], 0, from_vector<int64_t>({4, 0, 4}, {3}).to(x[0].device()));
         }},
    {.name = "index_select of the middle",
     .shapes = {{2, 16, 3, 5}},
     .op =
         [](const Tensors& x) {
             return index_select(x[0], 2, from_vector<int64_t>({2, 1}, {2}).to(x[0].device()));
         },
     .formats = true},
    {.name = "index_select of a vector",
     .shapes = {{7}},
     .op =
         [](const Tensors& x) {
             return index_select(x[0], -1, from_vector<int64_t>({6, 6, 0}, {3}).to(x[0].device()));
         }},
}};
const AddEdges edges{{{.name = "normalize of zeros: the gradient of x / eps",
                       .inputs = {{{0, 0, 3, 4}, {2, 2}}},
                       .op = [](const Tensors& x) { return normalize(x[0], 1, 0.5); },
                       .want = {0, 0, 0.6, 0.8},
                       .gradients = {{2, 4, 0, 0}},
                       .dy = {1, 2, 3, 4},
                       .tolerance = 1e-7}}};

}  // namespace

TEST_CASE("normalize equals PyTorch's, zeros too", "[ops]") {
    check_golden("normalize.dim1", {"x"}, [](const Tensors& x) { return normalize(x[0], 1); });
    CHECK_THROWS_WITH(normalize(zeros({2}), 0, 0), "[normalize] expected eps > 3e-19, got 0");
}

TEST_CASE("index_select equals PyTorch's", "[ops]") {
    check_golden("index_select.dim1", {"x"}, [](const Tensors& x) {
        return index_select(x[0], 1, from_vector<int64_t>({2, 0, 2}, {3}));
    });
    CHECK_THROWS_WITH(index_select(zeros({2}), 0, zeros({1, 1}, {.dtype = DType::i64})),
                      "[index_select] expected a vector of indices, got (1,1)");
}

}  // namespace lily::testing
