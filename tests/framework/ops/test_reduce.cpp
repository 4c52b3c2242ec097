// SPDX-License-Identifier: MIT
#include "framework/autograd.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"

namespace lily::testing {
namespace {

std::vector<OpCase> reduce_cases() {
    std::vector<OpCase> all;
    const std::vector<std::pair<Shape, Dims>> shapes = {{{1}, {0}},
                                                        {{31}, {0}},
                                                        {{33, 5}, {0}},
                                                        {{33, 5}, {1}},
                                                        {{2, 3, 4}, {1}},
                                                        {{2, 3, 4}, {0, 2}},
                                                        {{2, 3, 4, 5}, {-1, 1}},
                                                        {{2, 16, 5, 3}, {2, 3}},
                                                        {{2, 3, 4}, {0, 1, 2}},
                                                        {{70, 100}, {0}},
                                                        {{1023}, {0}},
                                                        {{20000}, {0}}};
    for (const bool keepdim : {false, true})
        for (const auto& [shape, dims] : shapes) {
            const std::string suffix =
                fmt::format(" {} over {}{}", shape, fmt::join(dims, ","), keepdim ? " keepdim" : "");
            const bool formats = shape.rank() == 4;
            all.push_back(
                {.name = "sum" + suffix,
                 .shapes = {shape},
                 .op = [dims = dims, keepdim](const Tensors& x) { return sum(x[0], dims, keepdim); },
                 .formats = formats});
            all.push_back(
                {.name = "mean" + suffix,
                 .shapes = {shape},
                 .op = [dims = dims, keepdim](const Tensors& x) { return mean(x[0], dims, keepdim); },
                 .formats = formats});
            all.push_back(
                {.name = "amax" + suffix,
                 .shapes = {shape},
                 .op = [dims = dims, keepdim](const Tensors& x) { return amax(x[0], dims, keepdim); },
                 .domain = Domain::distinct,
                 .formats = formats});
        }
    all.push_back({.name = "sum of everything, any format",
                   .shapes = {{2, 16, 5, 3}},
                   .op = [](const Tensors& x) { return sum(x[0]); },
                   .formats = true});
    all.push_back({.name = "mean of an empty dimension's sum",
                   .shapes = {{3, 0}},
                   .op = [](const Tensors& x) { return sum(x[0], {1}); }});
    return all;
}

std::vector<OpCase> shape_cases() {
    return {
        {.name = "reshape",
         .shapes = {{4, 6}},
         .op =
             [](const Tensors& x) {
                 return reshape(x[0], {3, -1}) * reshape(x[0], {3, 8});
             }},
        {.name = "reshape of a blocked tensor",
         .shapes = {{2, 16, 3, 3}},
         .op =
             [](const Tensors& x) {
                 return reshape(x[0], {2, -1});
             },
         .formats = true},
        {.name = "flatten",
         .shapes = {{2, 3, 4, 5}},
         .op = [](const Tensors& x) { return flatten(x[0], 1, 2); }},
        {.name = "unsqueeze, squeeze",
         .shapes = {{2, 3}},
         .op = [](const Tensors& x) { return squeeze(unsqueeze(x[0], 1) * 2.0, 1); }},
        {.name = "expand",
         .shapes = {{3, 1}},
         .op =
             [](const Tensors& x) {
                 return expand(x[0], {2, 3, 4});
             }},
        {.name = "permute",
         .shapes = {{2, 3, 4, 5}},
         .op =
             [](const Tensors& x) {
                 return permute(x[0], {2, 0, 3, 1});
             }},
        {.name = "transpose",
         .shapes = {{33, 65}},
         .op = [](const Tensors& x) { return transpose(x[0], 0, 1); }},
        {.name = "transpose of an empty tensor",
         .shapes = {{0, 5}},
         .op = [](const Tensors& x) { return transpose(x[0], 0, 1); }},
        {.name = "flip of two dimensions",
         .shapes = {{2, 16, 3, 5}},
         .op =
             [](const Tensors& x) {
                 return flip(x[0], {3, 1});
             },
         .formats = true},
        {.name = "flip of all",
         .shapes = {{7, 33}},
         .op =
             [](const Tensors& x) {
                 return flip(x[0], {0, -1});
             }},
        {.name = "flip of none", .shapes = {{0, 3}}, .op = [](const Tensors& x) { return flip(x[0], {0}); }},
        {.name = "permute of a scalar",
         .shapes = {{}},
         .op = [](const Tensors& x) { return permute(x[0], {}); }},
    };
}

const AddCases reduce_registered{reduce_cases()};
const AddCases shape_registered{shape_cases()};

}  // namespace

TEST_CASE("reductions: values, ties, errors", "[ops]") {
    const Tensor x = from_vector<float>({3, 1, 2, 9, 9, 4}, {2, 3});
    CHECK(sum(x).item() == 28);
    CHECK(amax(x, {1}).to_vector() == std::vector<float>{3, 9});
    CHECK(argmax(x, 1).to_vector<int64_t>() == std::vector<int64_t>{0, 0});
    CHECK(argmax(x, 0).to_vector<int64_t>() == std::vector<int64_t>{1, 1, 1});
    Tensor leaf = x.clone().set_requires_grad();
    sum(amax(leaf, {1})).backward();  // ties share evenly
    CHECK(leaf.grad().to_vector() == std::vector<float>{1, 0, 0, 0.5f, 0.5f, 0});
    CHECK(sum(zeros({0})).item() == 0);
    CHECK_THROWS_WITH(sum(x, {2}), "[sum] dimension 2 is out of range for a tensor of rank 2");
    CHECK_THROWS_WITH(sum(x, {0, -2}), "[sum] a dimension is named twice");
    CHECK_THROWS_WITH(amax(zeros({2, 0}), {1}), "[amax] dimension 1 of (2,0) is empty");
    CHECK_THROWS_WITH(reshape(x, {4, -1}), "[reshape] (2,3) does not divide into (4,-1)");
    CHECK(flip(from_vector<int64_t>({1, 2, 3, 4, 5, 6}, {2, 3}), {1}).to_vector<int64_t>() ==
          std::vector<int64_t>{3, 2, 1, 6, 5, 4});
    CHECK_THROWS_WITH(flip(zeros({2, 3}), {1, -1}), "[flip] dimension -1 is named twice");
    CHECK_THROWS_WITH(permute(x, {0, 0}), "[permute] dimension 0 is named twice");
}

TEST_CASE("a sum of ten million ones in f32 is exact", "[ops]") {
    CHECK(sum(ones({10'000'000})).item() == 1e7f);
}

TEST_CASE("amax: a maximum that was changed in place has no gradient any more", "[ops]") {
    const Tensor x = from_vector<float>({1, 2}, {2}).set_requires_grad();
    const Tensor y = amax(x, {0});
    y.detach().fill_(9);
    CHECK_THROWS_WITH(y.backward(), Catch::Matchers::ContainsSubstring("changed in place"));
}

}  // namespace lily::testing
