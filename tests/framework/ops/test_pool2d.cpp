// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/autograd.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"
#include "tests/framework/ops/golden.h"

namespace lily::testing {
namespace {

struct Case {
    const char* what;
    Shape x;
    Pool2dSize kernel, stride = 0, padding = 0;
};

std::vector<Case> shapes() {
    return {
        {"2x2", {2, 16, 4, 6}, 2},
        {"2x2 of odd sizes", {1, 16, 5, 7}, 2},
        {"24 channels", {1, 24, 4, 5}, 2},
        {"overlapping", {1, 16, 6, 5}, 3, 2, 1},
        {"stride 1, padded", {2, 3, 4, 5}, 3, 1, 1},
        {"stride > kernel", {1, 3, 7, 8}, 2, 3},
        {"(2,3) by (1,2)", {1, 16, 5, 6}, {2, 3}, {1, 2}, {1, 0}},
        {"1x1 out", {2, 5, 3, 3}, 3},
        {"1x1 kernel", {1, 2, 3, 3}, 1},
        {"empty batch", {0, 3, 4, 4}, 2},
    };
}

std::vector<OpCase> pool_cases() {
    std::vector<OpCase> all;
    for (const Case& c : shapes()) {
        all.push_back(
            {.name = fmt::format("max_pool2d {}", c.what),
             .shapes = {c.x},
             .op = [c](const Tensors& x) { return max_pool2d(x[0], c.kernel, c.stride, c.padding); },
             .domain = Domain::distinct,
             .formats = true});
        for (const bool count : {true, false})
            all.push_back({.name = fmt::format("avg_pool2d {}{}", c.what, count ? ", padding counts" : ""),
                           .shapes = {c.x},
                           .op =
                               [c, count](const Tensors& x) {
                                   return avg_pool2d(x[0], c.kernel, c.stride, c.padding, count);
                               },
                           .formats = true});
    }
    // a second derivative that is not zero: squares of a maximum
    all.push_back({.name = "max_pool2d squared",
                   .shapes = {{1, 3, 4, 4}},
                   .op = [](const Tensors& x) { return square(max_pool2d(x[0], 3, 1, 1)); },
                   .domain = Domain::distinct});
    return all;
}

const AddCases registered{pool_cases()};

}  // namespace

TEST_CASE("max_pool2d: ties, NaN, -inf", "[pool2d]") {
    constexpr float nan = std::numeric_limits<float>::quiet_NaN(),
                    inf = std::numeric_limits<float>::infinity();
    const Shape shape{1, 1, 2, 4};
    Tensor x = from_vector<float>({1, 1, -inf, -inf, 1, 0, -inf, -inf}, shape).set_requires_grad();
    const Tensor y = max_pool2d(x, 2);
    CHECK(y.to_vector() == std::vector<float>{1, -inf});
    CHECK(grad(y, {x}, {.dL_dy = full({1, 1, 1, 2}, 3)})[0].to_vector() ==
          std::vector<float>{3, 0, 3, 0, 0, 0, 0, 0});  // the first of equals
    x = from_vector<float>({1, nan, 3, 4, 7, 8, 5, nan}, shape).set_requires_grad();
    const Tensor z = max_pool2d(x, 2);
    CHECK(std::isnan(z.to_vector()[0]));
    CHECK(std::isnan(z.to_vector()[1]));
    CHECK(grad(z, {x}, {.dL_dy = ones({1, 1, 1, 2})})[0].to_vector() ==
          std::vector<float>{0, 1, 0, 0, 0, 0, 0, 1});
}

TEST_CASE("max_pool2d: every tap of a window of 256 can win", "[pool2d]") {
    for (const int64_t place : {0, 255}) {
        std::vector<float> values(256, -1);
        values[static_cast<size_t>(place)] = 2;
        Tensor x = from_vector(values, {1, 1, 16, 16}).set_requires_grad();
        const Tensor y = max_pool2d(x, 16);
        CHECK(y.item() == 2);
        const auto dx = grad(y, {x})[0].to_vector();
        CHECK(dx[static_cast<size_t>(place)] == 1);
        CHECK(std::count(dx.begin(), dx.end(), 0.0f) == 255);
    }
}

TEST_CASE("pooling keeps the memory format, and the gradient x's", "[pool2d]") {
    for (const auto format : {MemoryFormat::contiguous, MemoryFormat::channels_last, MemoryFormat::blocked8,
                              MemoryFormat::blocked16}) {
        const Tensor x = zeros({1, 16, 4, 4}).to(format).set_requires_grad();
        for (const Tensor& y : {max_pool2d(x, 2), avg_pool2d(x, 2)}) {
            CHECK(y.format() == format);
            CHECK(grad(sum(y), {x})[0].format() == format);
        }
    }
}

TEST_CASE("pooling: errors say what to do", "[pool2d]") {
    const Tensor x = zeros({1, 2, 4, 4});
    CHECK_THROWS_WITH(max_pool2d(zeros({2, 4, 4}), 2), "[max_pool2d] expected (N,C,H,W), got (2,4,4)");
    CHECK_THROWS_WITH(max_pool2d(x, 5),
                      "[max_pool2d] a kernel of 5x5 does not fit into x (1,2,4,4) with padding (0,0)");
    CHECK_THROWS_WITH(max_pool2d(x, 2, 2, 2),
                      "[max_pool2d] expected 0 <= padding <= kernel/2, got padding (2,2) and kernel (2,2)");
    CHECK_THROWS_WITH(avg_pool2d(x, 0), "[avg_pool2d] expected kernel >= 1, got (0,0)");
    CHECK_THROWS_WITH(avg_pool2d(x, 2, -1), "[avg_pool2d] expected stride >= 0, got (-1,-1)");
    CHECK_THROWS_WITH(max_pool2d(zeros({1, 1, 17, 17}), 17),
                      "[max_pool2d] expected a kernel of at most 256 positions, got 17x17");
    CHECK_THROWS_WITH(max_pool2d(zeros({1, 1, 4, 4}, {.dtype = DType::u8}), 2),
                      "[max_pool2d] expected a tensor of f32 or f64, got u8");
}

TEST_CASE("pooling equals PyTorch's", "[pool2d][golden]") {
    for (const char* name : {"max_pool2d.k3s2p1", "max_pool2d.ties"})
        check_golden(name, {"x"}, [](const Tensors& t) { return max_pool2d(t[0], 3, 2, 1); });
    check_golden("avg_pool2d.k3s2p1.include", {"x"},
                 [](const Tensors& t) { return avg_pool2d(t[0], 3, 2, 1, true); });
    check_golden("avg_pool2d.k3s2p1.exclude", {"x"},
                 [](const Tensors& t) { return avg_pool2d(t[0], 3, 2, 1, false); });
}

TEST_CASE("max_pool2d: maps without a pixel are refused", "[pool2d]") {
    CHECK_THROWS_WITH(max_pool2d(zeros({1, 1, 0, 4}), 2, 2, 1),
                      "[max_pool2d] expected maps that are not empty, got (1,1,0,4)");
}

}  // namespace lily::testing
