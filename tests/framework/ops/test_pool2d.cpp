// SPDX-License-Identifier: MIT
#include <limits>

#include "framework/autograd.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"

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
}  // namespace lily::testing
