// SPDX-License-Identifier: MIT
#include "framework/autograd.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"

namespace lily::testing {
namespace {

const AddCases registered{{
    {.name = "cat of rows",
     .shapes = {{2, 3}, {1, 3}, {4, 3}},
     .op = [](const Tensors& x) { return cat(x, 0); }},
    {.name = "cat of columns",
     .shapes = {{5, 3}, {5, 33}, {5, 1}},
     .op = [](const Tensors& x) { return cat(x, -1); }},
    {.name = "cat of channels",
     .shapes = {{2, 16, 3, 5}, {2, 4, 3, 5}},
     .op = [](const Tensors& x) { return cat(x, 1); },
     .formats = true},
    {.name = "cat with an empty part",
     .shapes = {{0, 3}, {2, 3}},
     .op = [](const Tensors& x) { return cat(x, 0); }},
    {.name = "cat of one tensor twice",
     .shapes = {{7}},
     .op =
         [](const Tensors& x) {
             return square(cat({x[0], x[0]}, 0));
         }},
    {.name = "stack along the middle",
     .shapes = {{2, 16, 3, 5}, {2, 16, 3, 5}},
     .op = [](const Tensors& x) { return stack(x, 1); },
     .formats = true},
    {.name = "stack of scalars", .shapes = {{}, {}, {}}, .op = [](const Tensors& x) { return stack(x, -1); }},
}};

}  // namespace

TEST_CASE("cat: values, dtypes, gradients of some parts, errors", "[ops][cat]") {
    const Tensor a = from_vector<float>({1, 2}, {2, 1}), b = from_vector<float>({3, 4, 5, 6}, {2, 2});
    CHECK(cat({a, b}, 1).to_vector() == std::vector<float>{1, 3, 4, 2, 5, 6});
    CHECK(cat({arange(2, {.dtype = DType::i64}), arange(1, {.dtype = DType::i64})}, 0).to_vector<int64_t>() ==
          std::vector<int64_t>{0, 1, 0});
    CHECK(cat({full({2}, 7, {.dtype = DType::u8}), full({1}, 9, {.dtype = DType::u8})}, 0)
              .to_vector<uint8_t>() == std::vector<uint8_t>{7, 7, 9});

    const Tensor leaf = b.clone().set_requires_grad();
    const Tensor y = cat({a, leaf, a}, 1);  // the constants ask for no gradient
    CHECK(grad(sum(square(y)), {leaf})[0].to_vector() == std::vector<float>{6, 8, 10, 12});

    CHECK_THROWS_WITH(cat({}, 0), "[cat] expected at least one tensor");
    CHECK_THROWS_WITH(cat({scalar(1)}, 0), "[cat] scalars cannot be joined; use reshape(x, {1})");
    CHECK_THROWS_WITH(cat({a, zeros({3, 1})}, 1),
                      "[cat] shapes (2,1) and (3,1) differ in more than dimension 1");
    CHECK_THROWS_WITH(cat({a, zeros({2})}, 1), "[cat] shapes (2,1) and (2) differ in more than dimension 1");
    CHECK_THROWS_WITH(cat({a, a.to(DType::f64)}, 0), "[cat] expected equal dtypes, got f32 and f64");
    CHECK_THROWS_WITH(cat({a}, 2), "[cat] dimension 2 is out of range for a tensor of rank 2");
}

TEST_CASE("stack: values and errors", "[ops][cat]") {
    const Tensor a = from_vector<float>({1, 2}, {2}), b = from_vector<float>({3, 4}, {2});
    CHECK(stack({a, b}, 0).to_vector() == std::vector<float>{1, 2, 3, 4});
    CHECK(stack({a, b}, -1).to_vector() == std::vector<float>{1, 3, 2, 4});
    CHECK(stack({a}, 1).shape() == Shape{2, 1});
    CHECK(stack({zeros({0, 3}), zeros({0, 3})}, 1).shape() == Shape{0, 2, 3});
    CHECK_THROWS_WITH(stack({}, 0), "[stack] expected at least one tensor");
    CHECK_THROWS_WITH(stack({a, zeros({3})}, 0), "[stack] expected equal shapes, got (2) and (3)");
    CHECK_THROWS_WITH(stack({a}, 2), "[stack] dimension 2 is out of range for a tensor of rank 2");
}

}  // namespace lily::testing
