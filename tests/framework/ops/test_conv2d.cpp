// SPDX-License-Identifier: MIT
#include "framework/autograd.h"
#include "kernels/conv2d/conv2d.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"

namespace lily::testing {
namespace {

using kernels::Conv2dAlgorithm;

struct Case {
    const char* what;
    Shape x, weight;
    Conv2dOptions options = {};
};

// Every branch of the choice of a plan: Winograd, blocked, padded to a block, few channels, groups.
std::vector<Case> shapes() {
    const std::array<int64_t, 2> one{1, 1}, two{2, 2};
    return {
        {"1x1 in, 1x1 out", {1, 1, 1, 1}, {1, 1, 1, 1}},
        {"a picture", {2, 3, 7, 6}, {16, 3, 3, 3}, {.padding = one}},
        {"a picture, stride 2", {1, 3, 9, 8}, {16, 3, 3, 3}, {.stride = two, .padding = one}},
        {"one channel, 5x5", {2, 1, 5, 4}, {16, 1, 5, 5}, {.padding = two}},
        {"one channel, no padding", {1, 1, 8, 11}, {16, 1, 3, 2}},
        {"four channels", {1, 4, 6, 19}, {16, 4, 3, 3}, {.padding = one}},
        {"two channels", {1, 2, 5, 33}, {16, 2, 3, 3}, {.padding = one}},
        {"16 channels, 3x3", {2, 16, 6, 5}, {16, 16, 3, 3}, {.padding = one}},
        {"16 channels, 3x3, no padding", {1, 16, 7, 9}, {32, 16, 3, 3}},
        {"16 channels, 3x3, 1x1 out", {1, 32, 1, 1}, {16, 32, 3, 3}, {.padding = one}},
        {"16 channels, 1x1", {2, 16, 3, 3}, {32, 16, 1, 1}},
        {"16 channels, stride 3 > kernel", {1, 16, 8, 7}, {16, 16, 2, 2}, {.stride = {3, 3}}},
        {"dilation", {1, 16, 9, 8}, {16, 16, 3, 3}, {.padding = two, .dilation = two}},
        {"odd channels", {2, 5, 6, 4}, {7, 5, 3, 3}, {.padding = one}},
        {"20 to 24 channels", {1, 20, 5, 5}, {24, 20, 3, 3}, {.padding = one}},
        {"16 to 3 channels", {1, 16, 5, 5}, {3, 16, 1, 1}},
        {"two groups", {1, 8, 5, 5}, {6, 4, 3, 3}, {.padding = one, .groups = 2}},
        {"two groups of 16", {1, 32, 5, 4}, {32, 16, 3, 3}, {.padding = one, .groups = 2}},
        {"depthwise", {2, 16, 6, 5}, {16, 1, 3, 3}, {.padding = one, .groups = 16}},
        {"depthwise, 2 per channel", {1, 6, 5, 5}, {12, 1, 3, 3}, {.padding = one, .groups = 6}},
        {"kernel larger than x", {1, 3, 2, 3}, {8, 3, 5, 5}, {.padding = two}},
        {"uneven everything",
         {1, 4, 11, 7},
         {8, 2, 3, 2},
         {.stride = {2, 1}, .padding = {2, 0}, .dilation = {1, 3}, .groups = 2}},
    };
}

std::vector<OpCase> conv_cases() {
    std::vector<OpCase> all;
    for (const Case& c : shapes()) {
        const Shape bias{c.weight[0]};
        all.push_back({.name = fmt::format("conv2d: {}", c.what),
                       .shapes = {c.x, c.weight, bias},
                       .op = [o = c.options](const Tensors& x) { return conv2d(x[0], x[1], x[2], o); },
                       .scale = 0.5,
                       .formats = true});
        all.push_back(
            {.name = fmt::format("conv2d_relu: {}", c.what),
             .shapes = {c.x, c.weight, bias},
             .op = [o = c.options](const Tensors& x) { return conv2d_relu(x[0], x[1], x[2], o); },
             .scale = 0.5,
             .formats = true,
             .reference = [o = c.options](const Tensors& x) { return relu(conv2d(x[0], x[1], x[2], o)); }});
    }
    all.push_back({.name = "conv2d without bias",
                   .shapes = {{1, 16, 4, 4}, {16, 16, 3, 3}},
                   .op = [](const Tensors& x) { return conv2d(x[0], x[1], {}); }});
    return all;
}

const AddCases registered{conv_cases()};

}  // namespace
}  // namespace lily::testing
