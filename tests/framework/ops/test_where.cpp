// SPDX-License-Identifier: MIT
#include <limits>

#include "framework/autograd.h"
#include "tests/catch.h"
#include "tests/framework/check_edges.h"
#include "tests/framework/check_op.h"

namespace lily::testing {
namespace {

// The mask is where x[2] is above 0; in u8, or in the dtype of the values.
Tensor mask_of(const Tensor& x, bool bytes) {
    const Tensor mask = gt(x.detach(), scalar(0, {.dtype = x.dtype()}));
    return bytes ? mask.to(DType::u8) : mask;
}

std::vector<OpCase> where_cases() {
    std::vector<OpCase> all;
    const std::vector<std::vector<Shape>> shapes = {{{}, {}, {}},
                                                    {{1023}, {1023}, {1023}},
                                                    {{2, 16, 3, 5}, {2, 16, 3, 5}, {2, 16, 3, 5}},
                                                    {{2, 16, 3, 5}, {1, 16, 1, 1}, {2, 1, 3, 5}},
                                                    {{4, 5}, {5}, {4, 1}},
                                                    {{1}, {3, 1, 2}, {1, 4, 1}},
                                                    {{3, 1}, {3, 4}, {1}},
                                                    {{3, 4}, {}, {3, 4}},
                                                    {{0, 3}, {3}, {1, 1}},
                                                    {{130, 130}, {130, 130}, {}}};
    for (const auto& abc : shapes)
        for (const bool bytes : {false, true}) {
            all.push_back(
                {.name = fmt::format("where {} {} {}{}", abc[0], abc[1], abc[2], bytes ? " u8" : ""),
                 .shapes = abc,
                 .op = [=](const Tensors& x) { return where(mask_of(x[2], bytes), x[0], x[1]); },
                 .domain = Domain::away_from_zero,
                 .formats = abc[0].rank() == 4,
                 .reference =
                     [](const Tensors& x) {
                         const Tensor c = mask_of(x[2], false);
                         return c * x[0] + (1 - c) * x[1];
                     }});
            all.push_back(
                {.name = fmt::format("masked_fill {} {}{}", abc[0], abc[2], bytes ? " u8" : ""),
                 .shapes = {abc[0], abc[2]},
                 .op = [=](const Tensors& x) { return masked_fill(x[0], mask_of(x[1], bytes), -3); },
                 .domain = Domain::away_from_zero});
        }
    return all;
}
const AddCases registered{where_cases()};

constexpr double kInf = std::numeric_limits<double>::infinity(),
                 kNan = std::numeric_limits<double>::quiet_NaN();
const AddEdges edges{{
    {.name = "where: what is not taken neither shows nor has a gradient",
     .inputs = {{{1, kNan, kInf, 4}}, {{kNan, 2, 3, kInf}}},
     .op =
         [](const Tensors& x) {
             const TensorOptions o{.dtype = x[0].dtype(), .device = x[0].device()};
             return where(from_vector<float>({1, 0, 0, 0.5}, {4}).to(o.dtype).to(o.device), x[0], x[1]);
         },
     .want = {1, 2, 3, 4},
     .gradients = {{kInf, 0, 0, kNan}, {0, kInf, -kInf, 0}},
     .dy = {kInf, kInf, -kInf, kNan}},
    {.name = "where: NaN and infinity are true, both zeros are false",
     .inputs = {{{1, 1, 1, 1}}, {{2, 2, 2, 2}}},
     .op =
         [](const Tensors& x) {
             return where(from_vector<double>({kNan, -kInf, 0, -0.0}, {4}).to(x[0].dtype()).to(x[0].device()),
                          x[0], x[1]);
         },
     .want = {1, 1, 2, 2},
     .gradients = {{1, 1, 0, 0}, {0, 0, 1, 1}}},
    {.name = "masked_fill with -inf, NaN below it",
     .inputs = {{{1, kNan, 3}}},
     .op =
         [](const Tensors& x) {
             return masked_fill(x[0], from_vector<uint8_t>({0, 1, 0}, {3}).to(x[0].device()), -kInf);
         },
     .want = {1, -kInf, 3},
     .gradients = {{kInf, 0, 2}},
     .dy = {kInf, kInf, 2}},
}};

}  // namespace

TEST_CASE("where keeps the memory format, forward and backward", "[ops][where]") {
    const Tensor x = ones({1, 16, 2, 3}, {.format = MemoryFormat::blocked16}).set_requires_grad();
    const Tensor mask = gt(x.detach(), zeros_like(x.detach())).to(DType::u8);
    for (const Tensor& y : {where(mask, x, scalar(0)), where(mask, x, x), masked_fill(x, mask, 2)}) {
        CHECK(y.format() == MemoryFormat::blocked16);
        CHECK(grad(y, {x}, {.dL_dy = ones_like(y), .retain_graph = true})[0].format() ==
              MemoryFormat::blocked16);
    }
}

TEST_CASE("where errors", "[ops][where]") {
    const Tensor x = zeros({2, 3}), mask = zeros({2, 3}, {.dtype = DType::u8});
    CHECK_THROWS_WITH(where(mask, x, zeros({2, 3}, {.dtype = DType::f64})),
                      "[where] expected equal dtypes, got f32 and f64");
    CHECK_THROWS_WITH(where(mask.to(DType::i64), x, x), "[where] expected a condition of u8 or f32, got i64");
    CHECK_THROWS_WITH(where(mask, x, zeros({4})), "[where] shapes (2,3) and (4) do not broadcast");
    CHECK_THROWS_WITH(where(mask, mask, mask), "[where] expected a tensor of f32 or f64, got u8");
}

}  // namespace lily::testing
