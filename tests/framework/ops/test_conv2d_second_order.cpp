// SPDX-License-Identifier: MIT
// Gradients of gradients through each algorithm of convolution. The registry's other cases are too small for
// Winograd, which R1 takes in training.
#include "kernels/conv2d/conv2d.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"

namespace lily::testing {
namespace {

using kernels::Conv2dAlgorithm;
using kernels::Conv2dPass;

// 32 channels and 256 positions or more, on maps that 4x4 tiles do and do not fit.
std::vector<OpCase> winograd_cases() {
    const Conv2dOptions padded{.padding = {1, 1}};
    std::vector<OpCase> all;
    for (const auto& [x, weight] :
         {std::pair<Shape, Shape>{{1, 32, 16, 16}, {32, 32, 3, 3}}, {{2, 32, 13, 14}, {48, 32, 3, 3}}})
        all.push_back({.name = fmt::format("conv2d {} * {}", x, weight),
                       .shapes = {x, weight, {weight[0]}},
                       .op = [padded](const Tensors& t) { return conv2d(t[0], t[1], t[2], padded); },
                       .scale = 0.3,
                       .differences = false});
    all.push_back({.name = "conv2d_backward_data of 32 channels",
                   .shapes = {{1, 32, 16, 16}, {32, 32, 3, 3}},
                   .op =
                       [padded](const Tensors& t) {
                           return conv2d_backward_data(t[0], t[1], {16, 16}, padded);
                       },
                   .scale = 0.3,
                   .differences = false});
    all.push_back({.name = "conv2d_backward_weights of 32 channels",
                   .shapes = {{1, 32, 16, 16}, {1, 32, 16, 16}},
                   .op =
                       [padded](const Tensors& t) {
                           return conv2d_backward_weights(t[0], t[1], {3, 3}, padded);
                       },
                   .scale = 0.3,
                   .differences = false});
    all.push_back({.name = "conv_transpose2d of 32 channels",
                   .shapes = {{1, 32, 16, 16}, {32, 32, 3, 3}, {32}},
                   .op =
                       [](const Tensors& t) {
                           return conv_transpose2d(t[0], t[1], t[2], {.padding = {1, 1}});
                       },
                   .scale = 0.3,
                   .differences = false});
    // A ReLU's input close to 0 may have another sign in f32: the bias keeps them apart.
    const auto apart = [](const Tensor& bias) {
        std::vector<double> signs(static_cast<size_t>(bias.numel()));
        for (size_t i = 0; i < signs.size(); ++i) signs[i] = i % 2 == 0 ? 40 : -40;
        return bias + from_vector(signs, bias.shape()).to(bias.dtype()).to(bias.device());
    };
    all.push_back(
        {.name = "conv2d_relu of 32 channels",
         .shapes = {{1, 32, 16, 16}, {32, 32, 3, 3}, {32}},
         .op = [padded, apart](const Tensors& t) { return conv2d_relu(t[0], t[1], apart(t[2]), padded); },
         .scale = 0.3,
         .differences = false});
    all.push_back(
        {.name = "conv2d_relu_max_pool2d of 32 channels",
         .shapes = {{1, 32, 16, 16}, {32, 32, 3, 3}, {32}},
         .op = [padded,
                apart](const Tensors& t) { return conv2d_relu_max_pool2d(t[0], t[1], apart(t[2]), padded); },
         .scale = 0.3,
         .differences = false});
    return all;
}

const AddCases registered{winograd_cases()};

}  // namespace

TEST_CASE("conv2d: the registry has second derivatives that Winograd computes", "[conv2d]") {
    const kernels::Conv2dShape s{1, 32, 16, 16, 32, 3, 3, {1, 1}, {1, 1}, {1, 1}, 1};
    for (const Conv2dPass pass : {Conv2dPass::forward, Conv2dPass::backward_data, Conv2dPass::forward_relu,
                                  Conv2dPass::forward_relu_pool})
        CHECK(kernels::conv2d<float>(Device::cpu).plan(s, pass)->algorithm.find("winograd") == 0);
}

TEST_CASE("conv2d: gradients of gradients by every algorithm equal f64's", "[conv2d]") {
    const auto algorithm = GENERATE(Conv2dAlgorithm::direct, Conv2dAlgorithm::winograd_by_filters,
                                    Conv2dAlgorithm::onednn, Conv2dAlgorithm::onednn_winograd);
    INFO("algorithm " << static_cast<int>(algorithm));
    kernels::set_conv2d_algorithm(algorithm);
    for (const OpCase& c : all_op_cases()) {
        if (c.differences || c.name.find("conv") != 0) continue;
        const std::string wrong = check_f32(c);
        INFO(c.name << ": " << wrong);
        CHECK(wrong.empty());
    }
    kernels::set_conv2d_algorithm(Conv2dAlgorithm::rule);
}

}  // namespace lily::testing
