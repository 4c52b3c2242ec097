// SPDX-License-Identifier: MIT
#include "framework/autograd.h"
#include "kernels/common/parallel.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"
#include "tests/framework/ops/golden.h"

namespace lily::testing {
namespace {

// a (m,k) times b (k,n) as a sum of broadcast products, by other ops only.
Tensor sum_of_products(const Tensor& a, const Tensor& b) {
    return sum(unsqueeze(a, -1) * unsqueeze(b, -3), {-2});
}

std::vector<OpCase> matmul_cases() {
    std::vector<OpCase> all;
    const std::vector<std::vector<Shape>> pairs = {
        {{1, 1}, {1, 1}},          {{3, 4}, {4, 5}},          {{31, 33}, {33, 17}},
        {{2, 3, 4}, {2, 4, 5}},    {{2, 3, 4}, {4, 5}},       {{3, 4}, {2, 4, 5}},
        {{2, 1, 3, 4}, {3, 4, 2}}, {{2, 3, 3, 4}, {3, 4, 2}}, {{2, 1, 2, 3}, {1, 3, 3, 2}},
        {{3, 0}, {0, 2}},          {{0, 3}, {3, 2}},          {{3, 0, 2}, {3, 2, 4}},
        {{0, 2, 3}, {0, 3, 2}}};
    for (const auto& shapes : pairs)
        all.push_back({.name = fmt::format("matmul {} x {}", shapes[0], shapes[1]),
                       .shapes = shapes,
                       .op = [](const Tensors& x) { return matmul(x[0], x[1]); },
                       .formats = shapes[0].rank() == 4,
                       .reference = [](const Tensors& x) { return sum_of_products(x[0], x[1]); }});
    for (const auto& [a, b] : std::vector<std::pair<Shape, Shape>>{{{5}, {5}}, {{5}, {5, 3}}, {{3, 5}, {5}}})
        all.push_back({.name = fmt::format("matmul {} x {}", a, b),
                       .shapes = {a, b},
                       .op = [](const Tensors& x) { return x[0].matmul(x[1]); }});
    all.push_back({.name = "matmul (2,3,5) x (5)", .shapes = {{2, 3, 5}, {5}}, .op = [](const Tensors& x) {
                       return matmul(x[0], x[1]);
                   }});
    all.push_back({.name = "matmul (5) x (2,5,3)", .shapes = {{5}, {2, 5, 3}}, .op = [](const Tensors& x) {
                       return matmul(x[0], x[1]);
                   }});
    all.push_back({.name = "bmm", .shapes = {{3, 4, 5}, {3, 5, 2}}, .op = [](const Tensors& x) {
                       return bmm(x[0], x[1]);
                   }});
    for (const bool ta : {false, true})
        for (const bool tb : {false, true})
            all.push_back(
                {.name = fmt::format("matmul, transposed {} {}", ta, tb),
                 .shapes = {ta ? Shape{2, 7, 9} : Shape{2, 9, 7}, tb ? Shape{5, 7} : Shape{7, 5}},
                 .op = [ta,
                        tb](const Tensors& x) { return matmul(x[0], Transposed(ta), x[1], Transposed(tb)); },
                 .reference =
                     [ta, tb](const Tensors& x) {
                         return sum_of_products(ta ? transpose(x[0], -1, -2) : x[0],
                                                tb ? transpose(x[1], -1, -2) : x[1]);
                     }});
    return all;
}

const AddCases registered{matmul_cases()};

}  // namespace

TEST_CASE("matmul: values and errors", "[ops][matmul]") {
    const Tensor a = from_vector<float>({1, 2, 3, 4, 5, 6}, {2, 3});
    const Tensor b = from_vector<float>({1, 0, 0, 1, 1, 1}, {3, 2});
    CHECK(matmul(a, b).to_vector() == std::vector<float>{4, 5, 10, 11});
    CHECK(matmul(a, Transposed::yes, a, Transposed::no).shape() == Shape{3, 3});
    CHECK(matmul(zeros({2, 0}), zeros({0, 3})).to_vector() == std::vector<float>(6, 0));
    CHECK(matmul(ones({3}), ones({3})).shape() == Shape{});
    CHECK_THROWS_WITH(matmul(a, a), "[matmul] inner sizes differ: (2,3) times (2,3)");
    CHECK_THROWS_WITH(matmul(a, b.to(DType::f64)), "[matmul] expected equal dtypes, got f32 and f64");
    CHECK_THROWS_WITH(matmul(scalar(1), a),
                      "[matmul] expected at least one dimension each, got () and (2,3)");
    CHECK_THROWS_WITH(matmul(zeros({2, 3, 4}), zeros({3, 4, 5})),
                      "[matmul] shapes (2) and (3) do not broadcast");
    CHECK_THROWS_WITH(bmm(a, b), "[bmm] expected (B,M,K) and (B,K,N), got (2,3) and (3,2)");
    CHECK_THROWS_WITH(matmul(a, Transposed::no, b, Transposed::yes),
                      "[matmul] inner sizes differ: (2,3) times (3,2)ᵀ");
    CHECK_THROWS_WITH(matmul(arange(3, {.dtype = DType::i64}), arange(3, {.dtype = DType::i64})),
                      "[matmul] expected a tensor of f32 or f64, got i64");
}

TEST_CASE("matmul: PyTorch's values", "[ops][matmul]") {
    check_golden("bmm", {"a", "b"}, [](const Tensors& x) { return bmm(x[0], x[1]); });
    check_golden("matmul.broadcast", {"a", "b"}, [](const Tensors& x) { return matmul(x[0], x[1]); });
}

TEST_CASE("matmul: the same bits with one thread and with two", "[ops][matmul]") {
    const OpCase sizes{.name = "bits", .shapes = {{100, 5000}, {5000, 90}}, .op = nullptr};
    const Tensors x = make_inputs(sizes, DType::f32);
    kernels::set_max_threads(1);
    const auto one = matmul(x[0], x[1]).to_vector();
    kernels::set_max_threads(2);
    const auto two = matmul(x[0], x[1]).to_vector();
    kernels::set_max_threads(0);
    CHECK(one == two);
}

}  // namespace lily::testing
