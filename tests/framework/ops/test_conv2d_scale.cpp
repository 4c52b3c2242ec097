// SPDX-License-Identifier: MIT
// Convolutions with a scale of the weight, in every form of convolution, beside a weight that was multiplied.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "framework/autograd.h"
#include "kernels/conv2d/conv2d.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"

namespace lily::testing {
namespace {

using kernels::Conv2dAlgorithm;

constexpr std::array<int64_t, 2> kOne{1, 1}, kTwo{2, 2};

class WithAlgorithm {
  public:
    explicit WithAlgorithm(Conv2dAlgorithm algorithm) { kernels::set_conv2d_algorithm(algorithm); }
    ~WithAlgorithm() { kernels::set_conv2d_algorithm(Conv2dAlgorithm::rule); }
};

struct Case {
    const char* what;
    Shape x, weight;
    Conv2dOptions options = {};
};

using Convolution = Tensor (*)(const Tensor&, const Tensor&, const Tensor&, Conv2dOptions);

OpCase scaled_case(const char* op, const Case& c, Conv2dAlgorithm algorithm, Convolution convolution) {
    Conv2dOptions scaled = c.options;
    scaled.weight_scale = 0.75;
    return {.name = fmt::format("{} scaled, {}: {}", op, static_cast<int>(algorithm), c.what),
            .shapes = {c.x, c.weight, {c.weight[0]}},
            .op =
                [=](const Tensors& t) {
                    const WithAlgorithm with(algorithm);
                    return convolution(t[0], t[1], t[2], scaled);
                },
            .scale = 0.5,
            .formats = true,
            .reference =
                [=, o = c.options](const Tensors& t) { return convolution(t[0], t[1] * 0.75, t[2], o); }};
}

std::vector<OpCase> scaled_cases() {
    std::vector<OpCase> all;
    for (const Case& c : std::vector<Case>{
             {"a picture, stride 2", {1, 3, 5, 4}, {16, 3, 3, 3}, {.stride = kTwo, .padding = kOne}},
             {"1x1 kernel", {2, 16, 2, 3}, {16, 16, 1, 1}},
             {"odd channels", {2, 5, 4, 3}, {7, 5, 3, 3}, {.padding = kOne}},
             {"two groups of 16", {1, 32, 3, 2}, {32, 16, 3, 3}, {.padding = kOne, .groups = 2}}})
        all.push_back(scaled_case("conv2d", c, Conv2dAlgorithm::rule, conv2d));
    const Case blocked{"16 channels", {1, 16, 5, 4}, {16, 16, 3, 3}, {.padding = kOne}};
    for (const auto algorithm : {Conv2dAlgorithm::direct, Conv2dAlgorithm::winograd}) {
        all.push_back(scaled_case("conv2d", blocked, algorithm, conv2d));
        all.push_back(scaled_case("conv2d_relu_max_pool2d", blocked, algorithm, conv2d_relu_max_pool2d));
    }
    const ConvTranspose2dOptions plain{.stride = kTwo, .padding = kOne};
    ConvTranspose2dOptions scaled = plain;
    scaled.weight_scale = 0.75;
    all.push_back(
        {.name = "conv_transpose2d scaled",
         .shapes = {{2, 4, 2, 3}, {4, 3, 3, 3}, {3}},
         .op = [=](const Tensors& t) { return conv_transpose2d(t[0], t[1], t[2], scaled); },
         .scale = 0.5,
         .formats = true,
         .reference = [=](const Tensors& t) { return conv_transpose2d(t[0], t[1] * 0.75, t[2], plain); }});
    return all;
}

const AddCases registered{scaled_cases()};

Tensors random_tensors(const Case& c, DType dtype) {
    const std::vector<Shape> shapes{c.x, c.weight, {c.weight[0]}};
    return make_inputs({.name = "conv2d by hand", .shapes = shapes, .op = nullptr, .scale = 0.5}, dtype);
}

// y and all gradients.
Tensors everything(Convolution convolution, Tensors xs, const Conv2dOptions& o) {
    for (Tensor& x : xs) x = x.detach().set_requires_grad();
    const Tensor y = convolution(xs[0], xs[1], xs[2], o);
    Tensors result = grad(y, xs, {.dL_dy = ones_like(y)});
    result.push_back(y.detach());
    return result;
}

constexpr Conv2dAlgorithm kAll[] = {Conv2dAlgorithm::rule,     Conv2dAlgorithm::direct,
                                    Conv2dAlgorithm::winograd, Conv2dAlgorithm::winograd_by_filters,
                                    Conv2dAlgorithm::onednn,   Conv2dAlgorithm::onednn_winograd};

const std::vector<Case> kCases = {{"Winograd", {1, 64, 16, 18}, {32, 64, 3, 3}, {.padding = kOne}},
                                  {"a picture", {2, 3, 16, 18}, {32, 3, 3, 3}, {.padding = kOne}},
                                  {"1x1", {2, 32, 8, 9}, {48, 32, 1, 1}},
                                  {"odd channels", {2, 5, 9, 8}, {7, 5, 3, 3}}};

}  // namespace

// The weights stay the same ones: what was packed with one scale is not taken for another.
TEST_CASE("conv2d: a scale of the weight is the scaled weight", "[conv2d][scale]") {
    for (const Device device : {Device::cpu, Device::simt}) {
        if (!is_available(device)) continue;
        for (const Conv2dAlgorithm algorithm : kAll) {
            if (device != Device::cpu && algorithm != Conv2dAlgorithm::rule) continue;
            const WithAlgorithm with(algorithm);
            for (const Case& c : kCases) {
                const Tensors t = random_tensors(c, DType::f32), exact = random_tensors(c, DType::f64);
                Tensors on_device;
                for (const Tensor& each : t) on_device.push_back(each.to(device));
                for (const double scale : {0.3, 1.0, -1.7}) {
                    INFO(name(device) << ", algorithm " << static_cast<int>(algorithm) << ", " << c.what
                                      << " by " << scale);
                    Conv2dOptions o = c.options;
                    o.weight_scale = scale;
                    const Tensors got = everything(conv2d, on_device, o);
                    Tensors want = everything(conv2d, {exact[0], exact[1] * scale, exact[2]}, c.options);
                    want[1] = want[1] * scale;  // dL/dw = scale · dL/d(scale w)
                    for (size_t i = 0; i < want.size(); ++i)
                        CHECK(difference(got[i].to(Device::cpu), want[i], 2e-5) == "");
                }
            }
        }
    }
}

TEST_CASE("conv2d: f32 and f64 multiply by the same scale, ReLU and pooling included", "[conv2d][scale]") {
    const WithAlgorithm with(GENERATE(Conv2dAlgorithm::rule, Conv2dAlgorithm::winograd_by_filters));
    for (const Convolution convolution : {Convolution{conv2d_relu}, Convolution{conv2d_relu_max_pool2d}})
        for (const Case& c : kCases) {
            INFO(c.what);
            Conv2dOptions o = c.options;
            o.weight_scale = -0.5;
            const Tensors got = everything(convolution, random_tensors(c, DType::f32), o),
                          want = everything(convolution, random_tensors(c, DType::f64), o);
            for (size_t i = 0; i < want.size(); ++i) CHECK(difference(got[i], want[i], 2e-5) == "");
        }
}

// A tile that is computed again by the definition is scaled too.
TEST_CASE("conv2d: a scaled weight beside an infinity", "[conv2d][scale]") {
    const WithAlgorithm with(
        GENERATE(Conv2dAlgorithm::direct, Conv2dAlgorithm::winograd, Conv2dAlgorithm::winograd_by_filters));
    const Conv2dOptions plain{.padding = kOne}, scaled{.padding = kOne, .weight_scale = 0.5};
    const Tensors t = random_tensors({"", {1, 32, 12, 12}, {32, 32, 3, 3}}, DType::f32);
    auto values = t[0].to_vector();
    values[0] = std::numeric_limits<float>::infinity();
    const Tensor x = from_vector(values, t[0].shape());
    const auto got = conv2d(x, t[1], t[2], scaled).to_vector(),
               want = conv2d(x, t[1] * 0.5, t[2], plain).to_vector();  // a power of two: the same bits
    CHECK(std::count_if(want.begin(), want.end(), [](float v) { return !std::isfinite(v); }) == 32 * 4);
    CHECK(std::memcmp(got.data(), want.data(), want.size() * sizeof(float)) == 0);
}

TEST_CASE("conv2d: a scale is finite", "[conv2d][scale]") {
    const Tensors t = random_tensors({"", {1, 3, 4, 4}, {16, 3, 3, 3}}, DType::f32);
    CHECK_THROWS_WITH(conv2d(t[0], t[1], t[2], {.weight_scale = INFINITY}),
                      "[conv2d] expected a finite weight_scale, got inf");
}

}  // namespace lily::testing
