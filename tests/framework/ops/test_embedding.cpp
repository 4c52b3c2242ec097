// SPDX-License-Identifier: MIT
#include "framework/autograd.h"
#include "kernels/common/parallel.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"
#include "tests/framework/ops/golden.h"

namespace lily::testing {
namespace {

// Every row several times, out of order, and one row never.
Tensor indices(const Shape& shape, int64_t rows) {
    std::vector<int64_t> values;
    for (int64_t i = 0; i < shape.numel(); ++i) values.push_back(rows == 1 ? 0 : i * i % (rows - 1));
    return from_vector(values, shape);
}

std::vector<OpCase> embedding_cases() {
    std::vector<OpCase> all;
    for (const auto& [weight, index] : std::vector<std::pair<Shape, Shape>>{
             {{1, 1}, {1}}, {{5, 3}, {4, 2}}, {{7, 130}, {33}}, {{3, 4}, {0}}, {{3, 0}, {2}}, {{6, 2}, {}}})
        all.push_back({.name = fmt::format("embedding {} at {}", weight, index),
                       .shapes = {weight},
                       .op = [index = indices(index, weight[0])](const Tensors& x) {
                           return embedding(index.to(x[0].device()), x[0]);
                       }});
    return all;
}

const AddCases registered{embedding_cases()};

}  // namespace

TEST_CASE("embedding: values, repeated rows, errors", "[ops][embedding]") {
    Tensor weight = from_vector<float>({1, 2, 3, 4, 5, 6}, {3, 2}).set_requires_grad();
    const Tensor index = from_vector<int64_t>({2, 0, 2}, {3});
    const Tensor y = embedding(index, weight);
    CHECK(y.to_vector() == std::vector<float>{5, 6, 1, 2, 5, 6});
    sum(y * from_vector<float>({1, 2, 3, 4, 5, 6}, {3, 2})).backward();
    CHECK(weight.grad().to_vector() == std::vector<float>{3, 4, 0, 0, 6, 8});
    CHECK_THROWS_WITH(embedding(from_vector<int64_t>({0, 3}, {2}), weight),
                      "[embedding] expected indices in [0, 3), got 3 at position 1");
    CHECK_THROWS_WITH(embedding(from_vector<int64_t>({-1}, {1}), weight),
                      "[embedding] expected indices in [0, 3), got -1 at position 0");
    CHECK_THROWS_WITH(embedding(zeros({2}), weight), "[embedding] expected an index of i64, got f32");
    CHECK_THROWS_WITH(embedding(index, zeros({3})), "[embedding] expected a weight (rows,width), got (3)");
}

TEST_CASE("embedding: PyTorch's values", "[ops][embedding]") {
    const Tensor index = golden("embedding/index").to(DType::i64);
    check_golden("embedding", {"weight"}, [&](const Tensors& x) { return embedding(index, x[0]); });
}

TEST_CASE("embedding: the gradient has the same bits with one thread and with two", "[ops][embedding]") {
    const OpCase c{.name = "threads", .shapes = {{11, 300}, {5000, 300}}, .op = nullptr};
    std::vector<float> first;
    for (const int threads : {1, 2}) {
        kernels::set_max_threads(threads);
        const Tensors x = make_inputs(c, DType::f32);
        Tensor weight = x[0].clone().set_requires_grad();
        sum(embedding(indices({5000}, 11), weight) * x[1]).backward();
        if (threads == 2) CHECK(weight.grad().to_vector() == first);
        first = weight.grad().to_vector();
    }
    kernels::set_max_threads(0);
}

TEST_CASE("embedding: an index outside gives NaN on a GPU", "[ops][embedding][simt]") {
    if (!is_available(Device::simt)) return;
    Tensor weight = ones({3, 2}).to(Device::simt).set_requires_grad();
    const Tensor y = embedding(from_vector<int64_t>({1, 3}, {2}).to(Device::simt), weight);
    const auto values = y.to_vector();
    CHECK(values[0] == 1);
    CHECK(values[2] != values[2]);
    const Tensor gradient = grad(y, {weight}, {.dL_dy = ones({2, 2}).to(Device::simt)})[0];
    CHECK(gradient.to_vector() == std::vector<float>{0, 0, 1, 1, 0, 0});
}

}  // namespace lily::testing
