// SPDX-License-Identifier: MIT
#include <thread>

#include "framework/autograd.h"
#include "kernels/common/parallel.h"
#include "kernels/conv2d/conv2d.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"
#include "tests/framework/ops/golden.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

using kernels::Conv2dAlgorithm;
using kernels::Conv2dPass;

constexpr std::array<int64_t, 2> kOne{1, 1}, kTwo{2, 2};

struct Case {
    const char* what;
    Shape x, weight;
    Conv2dOptions options = {};
};

// Every branch of the choice of a plan but Winograd, which wants more channels: blocked, padded to a block,
// few channels, groups.
std::vector<Case> shapes() {
    return {
        {"1x1 in, 1x1 out", {1, 1, 1, 1}, {1, 1, 1, 1}},
        {"a picture", {2, 3, 3, 4}, {16, 3, 3, 3}, {.padding = kOne}},
        {"a picture, stride 2", {1, 3, 5, 4}, {16, 3, 3, 3}, {.stride = kTwo, .padding = kOne}},
        {"one channel, 5x5", {2, 1, 5, 4}, {16, 1, 5, 5}, {.padding = kTwo}},
        {"one channel, no padding", {1, 1, 4, 5}, {16, 1, 3, 2}},
        {"16 channels, 3x3", {2, 16, 3, 2}, {16, 16, 3, 3}, {.padding = kOne}},
        {"1x1 out", {1, 32, 1, 1}, {16, 32, 3, 3}, {.padding = kOne}},
        {"1x1 kernel", {2, 16, 2, 3}, {16, 16, 1, 1}},
        {"stride 3 > kernel", {1, 16, 5, 4}, {16, 16, 2, 2}, {.stride = {3, 3}}},
        {"dilation", {1, 16, 4, 5}, {16, 16, 3, 3}, {.padding = kTwo, .dilation = kTwo}},
        {"odd channels", {2, 5, 4, 3}, {7, 5, 3, 3}, {.padding = kOne}},
        {"20 to 24 channels", {1, 20, 3, 3}, {24, 20, 3, 3}, {.padding = kOne}},
        {"16 to 3 channels", {1, 16, 3, 3}, {3, 16, 1, 1}},
        {"two groups", {1, 8, 4, 3}, {6, 4, 3, 3}, {.padding = kOne, .groups = 2}},
        {"two groups of 16", {1, 32, 3, 2}, {32, 16, 3, 3}, {.padding = kOne, .groups = 2}},
        {"depthwise", {2, 16, 4, 3}, {16, 1, 3, 3}, {.padding = kOne, .groups = 16}},
        {"depthwise, 2 per channel", {1, 6, 3, 4}, {12, 1, 3, 3}, {.padding = kOne, .groups = 6}},
        {"kernel larger than x", {1, 3, 2, 3}, {8, 3, 5, 5}, {.padding = kTwo}},
        {"uneven everything",
         {1, 4, 6, 7},
         {8, 2, 3, 2},
         {.stride = {2, 1}, .padding = {2, 0}, .dilation = {1, 3}, .groups = 2}},
    };
}

class WithAlgorithm {
  public:
    explicit WithAlgorithm(Conv2dAlgorithm algorithm) { kernels::set_conv2d_algorithm(algorithm); }
    ~WithAlgorithm() { kernels::set_conv2d_algorithm(Conv2dAlgorithm::rule); }
};

std::vector<OpCase> conv_cases() {
    std::vector<OpCase> all;
    for (const Case& c : shapes())
        all.push_back({.name = fmt::format("conv2d: {}", c.what),
                       .shapes = {c.x, c.weight, {c.weight[0]}},
                       .op = [o = c.options](const Tensors& x) { return conv2d(x[0], x[1], x[2], o); },
                       .scale = 0.5,
                       .formats = true});
    const Conv2dOptions padded{.padding = kOne};
    for (const auto& [x, weight] : {std::pair<Shape, Shape>{{2, 3, 3, 4}, {16, 3, 3, 3}},
                                    {{1, 16, 3, 2}, {16, 16, 3, 3}},
                                    {{1, 5, 3, 3}, {6, 5, 3, 3}}})
        all.push_back(
            {.name = fmt::format("conv2d_relu {} * {}", x, weight),
             .shapes = {x, weight, {weight[0]}},
             .op = [padded](const Tensors& t) { return conv2d_relu(t[0], t[1], t[2], padded); },
             .scale = 0.5,
             .formats = true,
             .reference = [padded](const Tensors& t) { return relu(conv2d(t[0], t[1], t[2], padded)); }});
    const auto composed = [padded](const Tensors& t) {
        return max_pool2d(relu(conv2d(t[0], t[1], t[2], padded)), 2);
    };
    for (const auto algorithm : {Conv2dAlgorithm::rule, Conv2dAlgorithm::winograd})  // composed, fused
        all.push_back({.name = fmt::format("conv2d_relu_max_pool2d {}", static_cast<int>(algorithm)),
                       .shapes = {{1, 16, 5, 4}, {16, 16, 3, 3}, {16}},
                       .op =
                           [padded, algorithm](const Tensors& t) {
                               const WithAlgorithm with(algorithm);
                               return conv2d_relu_max_pool2d(t[0], t[1], t[2], padded);
                           },
                       .scale = 0.5,
                       .formats = true,
                       .reference = composed});
    all.push_back({.name = "conv2d without bias",
                   .shapes = {{1, 16, 3, 2}, {16, 16, 3, 3}},
                   .op = [padded](const Tensors& x) { return conv2d(x[0], x[1], {}, padded); }});
    const std::vector<std::tuple<Shape, Shape, int64_t, ConvTranspose2dOptions>> transposed = {
        {{1, 16, 2, 3}, {16, 16, 3, 3}, 16, {}},
        {{2, 4, 2, 3}, {4, 3, 3, 3}, 3, {.stride = kTwo, .padding = kOne, .output_padding = kOne}},
        {{1, 4, 3, 2}, {4, 3, 2, 3}, 6, {.stride = {1, 2}, .dilation = kTwo, .groups = 2}}};
    for (const auto& [x, weight, channels, o] : transposed)
        all.push_back({.name = fmt::format("conv_transpose2d {} * {}", x, weight),
                       .shapes = {x, weight, {channels}},
                       .op = [o = o](const Tensors& t) { return conv_transpose2d(t[0], t[1], t[2], o); },
                       .scale = 0.5,
                       .formats = true});
    return all;
}

const AddCases registered{conv_cases()};

Tensors random_tensors(const std::vector<Shape>& shapes, DType dtype) {
    return make_inputs({.name = "conv2d by hand", .shapes = shapes, .op = nullptr, .scale = 0.5}, dtype);
}

// y and all gradients of conv2d_relu.
Tensors everything(Tensors xs, const Conv2dOptions& o) {
    for (Tensor& x : xs) x.set_requires_grad();
    const Tensor y = conv2d_relu(xs[0], xs[1], xs[2], o);
    Tensors result = grad(y, xs, {.dL_dy = ones_like(y)});
    result.push_back(y.detach());
    return result;
}

class Poison {
  public:
    Poison() { allocator(Device::cpu).poison(true); }
    ~Poison() { allocator(Device::cpu).poison(false); }
};

std::string plan_of(const Shape& x, const Shape& w, const Conv2dOptions& o, Conv2dPass pass) {
    return kernels::conv2d<float>(Device::cpu)
        .plan({x[0], x[1], x[2], x[3], w[0], w[2], w[3], o.stride, o.padding, o.dilation, o.groups}, pass)
        ->algorithm;
}

}  // namespace

TEST_CASE("conv2d: Winograd equals the f64 loops, also on maps that its tiles do not fit", "[conv2d]") {
    const Poison poison;
    const auto algorithm = GENERATE(Conv2dAlgorithm::rule, Conv2dAlgorithm::winograd,
                                    Conv2dAlgorithm::winograd_by_filters, Conv2dAlgorithm::onednn_winograd);
    const std::vector<Case> cases = {{"odd map", {16, 32, 5, 7}, {48, 32, 3, 3}, {.padding = kOne}},
                                     {"16x16", {1, 128, 16, 16}, {128, 128, 3, 3}, {.padding = kOne}},
                                     {"uneven", {1, 128, 23, 17}, {128, 128, 3, 3}, {.padding = {1, 0}}},
                                     {"more padding", {2, 48, 21, 14}, {80, 48, 3, 3}, {.padding = {2, 2}}},
                                     {"90 tiles", {1, 80, 35, 37}, {48, 80, 3, 3}, {.padding = kOne}},
                                     {"72 to 40", {2, 72, 20, 21}, {40, 72, 3, 3}, {.padding = kOne}},
                                     {"one tile", {1, 32, 3, 4}, {32, 32, 3, 3}, {.padding = kOne}},
                                     {"few tiles", {1, 64, 9, 13}, {144, 64, 3, 3}, {.padding = kOne}},
                                     {"one output", {1, 32, 3, 3}, {32, 32, 3, 3}, {}}};
    for (const Case& c : cases) {
        INFO(c.what);
        const WithAlgorithm with(algorithm);
        if (c.weight[1] % 16 == 0 && c.weight[0] % 16 == 0) {
            const std::string plan = plan_of(c.x, c.weight, c.options, Conv2dPass::forward_relu);
            if (algorithm == Conv2dAlgorithm::winograd) CHECK(plan == "winograd");
            if (algorithm == Conv2dAlgorithm::winograd_by_filters) CHECK(plan == "winograd by filters");
        }
        const std::vector<Shape> operands = {c.x, c.weight, {c.weight[0]}};
        const Tensors got = everything(random_tensors(operands, DType::f32), c.options),
                      want = everything(random_tensors(operands, DType::f64), c.options);
        for (size_t i = 0; i < want.size(); ++i) CHECK(difference(got[i], want[i], 2e-5) == "");
    }
}

// y and the gradient of x of `op` alone, which is where kernels take everything at once.
Tensors only_data(const std::function<Tensor(const Tensors&)>& op, Tensors xs) {
    xs[0].set_requires_grad();
    const Tensor y = op(xs), dL_dy = full(y.shape(), 0.5, {.dtype = y.dtype()}) + y.detach();
    return {y.detach(), grad(y, {xs[0]}, {.dL_dy = dL_dy})[0]};
}

TEST_CASE("conv2d: ReLU and pooling fused into Winograd equal the f64 loops on every rim", "[conv2d]") {
    const Poison poison;
    const WithAlgorithm with(GENERATE(Conv2dAlgorithm::winograd, Conv2dAlgorithm::winograd_by_filters));
    for (const int64_t height : {2, 3, 4, 5, 7, 9, 16, 22})
        for (const int64_t width : {2, 5, 8, 11, 21})
            for (const int64_t padding : {0, 1, 2}) {
                if (height + 2 * padding < 4 || width + 2 * padding < 4) continue;
                const std::vector<Shape> operands = {{2, 32, height, width}, {48, 32, 3, 3}, {48}};
                const Conv2dOptions o{.padding = {padding, 1}};
                INFO(fmt::format("{}x{}, padding {}", height, width, padding));
                const std::pair<const char*, std::function<Tensor(const Tensors&)>> ops[] = {
                    {"relu", [&](const Tensors& t) { return conv2d_relu(t[0], t[1], t[2], o); }},
                    {"pool", [&](const Tensors& t) { return conv2d_relu_max_pool2d(t[0], t[1], t[2], o); }}};
                for (const auto& [what, op] : ops) {
                    INFO(what);
                    const Tensors got = only_data(op, random_tensors(operands, DType::f32)),
                                  want = only_data(op, random_tensors(operands, DType::f64));
                    for (size_t i = 0; i < want.size(); ++i) CHECK(difference(got[i], want[i], 2e-5) == "");
                }
            }
}

TEST_CASE("conv2d: pooling in the convolution is pooling after it, to the bit", "[conv2d]") {
    const Tensors t = random_tensors({{1, 64, 33, 30}, {64, 64, 3, 3}, {64}}, DType::f32);
    const Conv2dOptions o{.padding = kOne};
    const Tensors fused = only_data(
                      [&](const Tensors&x) { return conv2d_relu_max_pool2d(x[0], x[1], x[2], o); }, t),
                  apart = only_data(
                      [&](const Tensors&x) { return relu(max_pool2d(conv2d(x[0], x[1], x[2], o), 2)); }, t);
    CHECK(difference(fused[0], apart[0], 0) == "");
    // Backward the first stage is compiled once for each input: a·b − c·d may become another multiply-add.
    CHECK(difference(fused[1], apart[1], 2e-6) == "");
    const Tensor y = conv2d_relu_max_pool2d(t[0], t[1], t[2], o);
    CHECK(y.shape() == Shape{1, 64, 16, 15});
    CHECK_THROWS_WITH(conv2d_relu_max_pool2d(zeros({1, 16, 3, 9}), zeros({16, 16, 3, 3}), {}),
                      "[conv2d_relu_max_pool2d] a map of 1x7 has no 2x2 window to pool");
}

// Equal values in a window send the gradient to the first; Winograd's rounding must not choose another.
TEST_CASE("conv2d: where the map is flat, pooling fused into Winograd finds the first of a window",
          "[conv2d]") {
    const Poison poison;
    const WithAlgorithm with(GENERATE(Conv2dAlgorithm::winograd, Conv2dAlgorithm::winograd_by_filters));
    const Conv2dOptions o{.padding = kOne};
    const auto gradients = [&](DType dtype) {
        Tensors t = random_tensors({{1, 64, 1, 1}, {64, 64, 3, 3}, {64}}, dtype);
        t[0] = t[0] * ones({1, 64, 24, 24}, {.dtype = dtype});
        return only_data([&](const Tensors& x) { return conv2d_relu_max_pool2d(x[0], x[1], x[2], o); }, t);
    };
    const Tensors got = gradients(DType::f32), want = gradients(DType::f64);
    CHECK(difference(got[0], want[0], 2e-5) == "");
    CHECK(difference(got[1], want[1], 2e-5) == "");
}

TEST_CASE("conv2d: adds its gradient to what other ops have given, with the same bits", "[conv2d]") {
    const Poison poison;
    const Conv2dOptions o{.padding = kOne};
    const Tensors t = random_tensors({{1, 64, 20, 18}, {64, 64, 3, 3}, {64}}, DType::f32);
    const auto gradient = [&](bool other_first) {
        Tensor x = t[0].clone().set_requires_grad();
        const Tensor h = conv2d_relu(x, t[1], t[2], o);  // a map with two readers, as in style transfer
        const Tensor a = sum(square(conv2d_relu(h, t[1], t[2], o))), b = sum(gram(h, 0.5));
        return grad(other_first ? a + b : b + a, {x})[0];
    };
    Tensor x = t[0].clone().set_requires_grad();
    const Tensor h = conv2d_relu(x, t[1], t[2], o);
    Tensor leaf = h.detach().set_requires_grad();
    const Tensor dh = grad(sum(square(conv2d_relu(leaf, t[1], t[2], o))), {leaf})[0] +
                      grad(sum(gram(leaf, 0.5)), {leaf})[0];
    const Tensor want = grad(h, {x}, {.dL_dy = dh})[0];
    CHECK(difference(gradient(true), want, 0) == "");
    CHECK(difference(gradient(false), want, 0) == "");
}

TEST_CASE("conv2d: adds to what others have given whatever formats x and they have", "[conv2d][simt]") {
    const Poison poison;
    const Conv2dOptions o{.padding = kOne};
    for (const Device device : devices())
        for (const MemoryFormat format : {MemoryFormat::contiguous, MemoryFormat::channels_last})
            for (const bool pooled : {false, true}) {
                INFO(name(device) << ", " << name(format) << ", " << pooled);
                const Tensors t = random_tensors({{1, 32, 16, 16}, {32, 32, 3, 3}}, DType::f32);
                const Tensor w = t[1].to(device);
                const auto gradient = [&](bool first, bool second) {
                    const Tensor x = t[0].to(device).to(format).set_requires_grad();
                    Tensor sum_of_all = sum(x) * 0;
                    if (first)  // made first, so its gradient comes last
                        sum_of_all = sum_of_all + sum(square(pooled ? conv2d_relu_max_pool2d(x, w, {}, o)
                                                                    : conv2d_relu(x, w, {}, o)));
                    if (second)
                        sum_of_all = sum_of_all + sum(square(conv_transpose2d(x, w, {}, {.padding = kOne})));
                    return grad(sum_of_all, {x})[0].to(Device::cpu).contiguous();
                };
                const Tensor want = gradient(true, false) + gradient(false, true);
                CHECK(difference(gradient(true, true), want, 1e-5) == "");
            }
}

TEST_CASE("conv2d: the gradient of a picture, all widths of the register tile", "[conv2d]") {
    const Poison poison;
    for (const int64_t channels : {1, 2, 3, 4})
        for (const auto& [taps, padding] : {std::pair<int64_t, int64_t>{3, 1}, {3, 0}, {5, 3}, {1, 0}}) {
            const Conv2dOptions o{.padding = {padding, padding}};
            const std::vector<Shape> operands = {{2, channels, 6, 29}, {32, channels, taps, taps}, {32}};
            INFO(channels << " channels, " << taps << " taps");
            CHECK(plan_of(operands[0], operands[1], o, Conv2dPass::backward_data) == "few channels");
            const auto op = [&](const Tensors& t) { return conv2d_relu(t[0], t[1], t[2], o); };
            const Tensors alone = only_data(op, random_tensors(operands, DType::f32)),
                          alone_want = only_data(op, random_tensors(operands, DType::f64));
            for (size_t i = 0; i < alone.size(); ++i) CHECK(difference(alone[i], alone_want[i], 1e-5) == "");
            const Tensors got = everything(random_tensors(operands, DType::f32), o),
                          want = everything(random_tensors(operands, DType::f64), o);
            for (size_t i = 0; i < want.size(); ++i) CHECK(difference(got[i], want[i], 1e-5) == "");
        }
}

TEST_CASE("conv2d: every algorithm gives the same up to rounding", "[conv2d]") {
    const std::vector<Shape> operands = {{4, 32, 9, 9}, {32, 32, 3, 3}, {32}};
    const Conv2dOptions o{.padding = kOne};
    const Tensors want = everything(random_tensors(operands, DType::f64), o);
    for (const auto algorithm :
         {Conv2dAlgorithm::direct, Conv2dAlgorithm::winograd, Conv2dAlgorithm::winograd_by_filters,
          Conv2dAlgorithm::onednn, Conv2dAlgorithm::onednn_winograd}) {
        const WithAlgorithm with(algorithm);
        const Tensors got = everything(random_tensors(operands, DType::f32), o);
        for (size_t i = 0; i < want.size(); ++i) CHECK(difference(got[i], want[i], 2e-5) == "");
    }
}

TEST_CASE("conv2d: the same bits in every run and for any number of threads", "[conv2d]") {
    for (const std::vector<Shape>& operands : {std::vector<Shape>{{16, 32, 9, 9}, {64, 32, 3, 3}, {64}},
                                               {{2, 16, 20, 20}, {16, 16, 3, 3}, {16}},
                                               {{1, 3, 40, 40}, {64, 3, 3, 3}, {64}},
                                               {{1, 128, 32, 32}, {128, 128, 3, 3}, {128}},
                                               {{1, 256, 17, 16}, {512, 256, 3, 3}, {512}}}) {
        const Conv2dOptions o{.padding = kOne};
        const Tensors once = everything(random_tensors(operands, DType::f32), o),
                      again = everything(random_tensors(operands, DType::f32), o);
        const int threads = kernels::max_threads();
        kernels::set_max_threads(1);
        const Tensors alone = everything(random_tensors(operands, DType::f32), o);
        kernels::set_max_threads(threads);
        for (size_t i = 0; i < once.size(); ++i) {
            INFO(fmt::format("weight {}, result {}", operands[1], i));
            CHECK(difference(once[i], again[i], 0) == "");
            // oneDNN splits the sum of the weights' gradient over the threads; all else has one order
            CHECK(difference(once[i], alone[i], i == 1 ? 1e-5 : 0) == "");
        }
    }
}

TEST_CASE("conv2d: Winograd cut by filters has the same bits for any number of threads", "[conv2d]") {
    const WithAlgorithm with(Conv2dAlgorithm::winograd_by_filters);
    const int threads = kernels::max_threads();
    const auto results = [&](int of_threads) {
        kernels::set_max_threads(of_threads);
        Tensors all = everything(random_tensors({{2, 96, 25, 27}, {80, 96, 3, 3}, {80}}, DType::f32),
                                 {.padding = kOne});
        kernels::set_max_threads(threads);
        return all;
    };
    const Tensors one = results(1);
    for (const int many : {2, 7, 20, 64}) {  // two blocks a task, one, and shares of the tiles
        const Tensors got = results(many);
        for (const size_t i : {0, 2, 3}) {  // the gradient of the weights is oneDNN's
            INFO(many << " threads, result " << i);
            CHECK(difference(got[i], one[i], 0) == "");
        }
    }
}

TEST_CASE("conv2d: layouts pass through, gradients come back in x's", "[conv2d]") {
    const Tensor picture = zeros({1, 3, 6, 6}).set_requires_grad();
    const Tensor w1 = zeros({16, 3, 3, 3}), w2 = zeros({32, 16, 3, 3});
    const Tensor y = conv2d(picture, w1, {}, {.padding = kOne});
    CHECK(channel_block(y.format()) > 1);
    CHECK(conv2d(y, w2, {}).format() == y.format());
    CHECK(conv2d(y, zeros({5, 16, 1, 1}), {}).format() == MemoryFormat::contiguous);
    CHECK(grad(sum(y), {picture})[0].format() == MemoryFormat::contiguous);
    for (const auto format : {MemoryFormat::channels_last, MemoryFormat::blocked8, MemoryFormat::blocked16}) {
        const Tensor x = zeros({1, 16, 4, 4}).to(format).set_requires_grad();
        CHECK(grad(sum(conv2d(x, w2, {})), {x})[0].format() == format);
    }
}

TEST_CASE("conv2d: our Winograd and the ReLU in it keep NaN", "[conv2d]") {
    const WithAlgorithm with(GENERATE(Conv2dAlgorithm::winograd, Conv2dAlgorithm::winograd_by_filters));
    Tensor x = zeros({1, 32, 8, 8});
    x.fill_(std::numeric_limits<float>::quiet_NaN());
    const auto y = conv2d_relu(x, zeros({32, 32, 3, 3}), zeros({32}), {.padding = kOne}).to_vector();
    CHECK(std::all_of(y.begin(), y.end(), [](float v) { return std::isnan(v); }));
}

TEST_CASE("conv2d: packed weights follow a change in place", "[conv2d]") {
    const Tensors t = random_tensors({{1, 32, 16, 16}, {32, 32, 3, 3}}, DType::f32);
    Tensor w = t[1].clone();
    const Tensor before = conv2d(t[0], w, {});
    w.copy_(w * 2.0);
    CHECK(difference(conv2d(t[0], w, {}), before * 2.0, 1e-6) == "");
}

TEST_CASE("conv2d: several threads may use one model", "[conv2d]") {
    const Conv2dOptions o{.padding = kOne};
    const Tensors t = random_tensors(
        {{1, 3, 16, 16}, {32, 3, 3, 3}, {32, 32, 3, 3}, {32}, {512, 256, 1, 1}, {1, 256, 8, 8}}, DType::f32);
    const auto run = [&](const Tensors& weights) {
        const NoGrad no_grad;
        const Tensor h = conv2d_relu(t[0], weights[0], t[3], o);
        return Tensors{conv2d_relu_max_pool2d(h, weights[1], t[3], o), conv2d(t[5], weights[2], {})};
    };
    const Tensors want = run({t[1], t[2], t[4]});
    for (int round = 0; round < 5; ++round) {
        const Tensors fresh = {t[1].clone(), t[2].clone(), t[4].clone()};  // not packed yet
        std::vector<Tensors> got(4);
        std::vector<std::thread> threads;
        for (Tensors& mine : got) threads.emplace_back([&] { mine = run(fresh); });
        for (std::thread& thread : threads) thread.join();
        for (const Tensors& mine : got)
            for (size_t i = 0; i < want.size(); ++i) CHECK(difference(mine[i], want[i], 0) == "");
    }
}

TEST_CASE("conv2d: keeps x only for the weights' gradient", "[conv2d]") {
    const auto storage_uses = [](bool weight_needs) {
        const Tensor source = ones({1, 16, 4, 4});
        Tensor x = (source.clone().set_requires_grad() * 2.0), w = ones({16, 16, 3, 3});
        w.set_requires_grad(weight_needs);
        const std::weak_ptr<Storage> x_storage = x.storage();
        const Tensor y = conv2d(x, w, {});
        x = {};
        return !x_storage.expired();
    };
    CHECK(!storage_uses(false));
    CHECK(storage_uses(true));
}

TEST_CASE("conv2d: an empty batch", "[conv2d][simt]") {
    for (const Device device : devices()) {
        INFO(name(device));
        const Tensor x = zeros({0, 3, 8, 8}).to(device).set_requires_grad();
        const Tensor w = ones({16, 3, 3, 3}).to(device).set_requires_grad();
        const Tensor b = ones({16}).to(device).set_requires_grad();
        for (const bool pooled : {false, true}) {
            const Tensor y = pooled ? conv2d_relu_max_pool2d(x, w, b) : conv2d(x, w, b);
            CHECK(y.shape() == (pooled ? Shape{0, 16, 3, 3} : Shape{0, 16, 6, 6}));
            const Tensors gradients = grad(sum(y), {x, w, b});
            CHECK(gradients[0].shape() == x.shape());
            CHECK(sum(abs(gradients[1])).to(Device::cpu).item() == 0);
            CHECK(sum(abs(gradients[2])).to(Device::cpu).item() == 0);
        }
    }
}

TEST_CASE("conv2d: one memory as filters of two shapes", "[conv2d]") {
    // Packed weights are kept beside the memory that they were made from, which reshape() shares.
    Generator random(1);
    const Tensor w = randn({64, 32, 3, 3}, random), other = reshape(w, {32, 64, 3, 3});
    const Tensor x = randn({1, 32, 16, 16}, random), x2 = randn({1, 64, 16, 16}, random);
    const Conv2dOptions same{.padding = {1, 1}};
    const Tensor first = conv2d(x, w, {}, same);
    const Tensor second = conv2d(x2, other, {}, same);
    CHECK(second.to_vector() == conv2d(x2, other.clone(), {}, same).to_vector());
    CHECK(first.to_vector() == conv2d(x, w.clone(), {}, same).to_vector());
}

TEST_CASE("conv2d: errors say what to do", "[conv2d]") {
    const Tensor x = zeros({1, 4, 8, 8}), w = zeros({8, 3, 3, 3});
    CHECK_THROWS_WITH(conv2d(x, w, {}), "[conv2d] weight expects 3 input channels, got x (1,4,8,8)");
    CHECK_THROWS_WITH(conv2d(zeros({4, 8, 8}), w, {}), "[conv2d] expected x of rank 4, got (4,8,8)");
    CHECK_THROWS_WITH(conv2d_relu(x, zeros({8, 4}), {}),
                      "[conv2d_relu] expected weight of rank 4, got (8,4)");
    CHECK_THROWS_WITH(
        conv2d(x, zeros({8, 4, 9, 9}), {}),
        "[conv2d] a kernel of 9x9 with dilation (1,1) does not fit into x (1,4,8,8) with padding (0,0)");
    CHECK_THROWS_WITH(conv2d(x, zeros({8, 4, 3, 3}), zeros({4})), "[conv2d] expected a bias (8), got (4)");
    CHECK_THROWS_WITH(conv2d_backward_data(zeros({1, 7, 6, 6}), zeros({7, 2, 3, 3}), {8, 8}, {.groups = 2}),
                      "[conv2d_backward_data] 7 output channels do not divide into 2 groups");
    CHECK_THROWS_WITH(conv2d(x, zeros({8, 4, 3, 3}, {.dtype = DType::f64}), {}),
                      "[conv2d] x is f32, weight is f64; convert one with to()");
    CHECK_THROWS_WITH(conv2d(x, zeros({8, 4, 3, 3}), {}, {.stride = {0, 1}}),
                      "[conv2d] expected stride >= 1, got (0,1)");
    CHECK_THROWS_WITH(
        conv2d(x, zeros({7, 2, 3, 3}), {}, {.groups = 2}),
        "[conv2d] expected a weight (K,C/groups,R,S) with K divisible by groups = 2, got (7,2,3,3)");
    CHECK_THROWS_WITH(conv_transpose2d(x, w, {}),
                      "[conv_transpose2d] weight expects 8 input channels, got x (1,4,8,8)");
    CHECK_THROWS_WITH(
        conv_transpose2d(x, zeros({4, 2, 3, 3}), {}, {.output_padding = kOne}),
        "[conv_transpose2d] expected 0 <= output_padding < stride or dilation, got (1,1), (1,1) and "
        "(1,1)");
}

TEST_CASE("conv2d and conv_transpose2d equal PyTorch's", "[conv2d][golden]") {
    const std::vector<std::string> inputs = {"x", "w", "b"};
    const std::pair<const char*, Conv2dOptions> convolutions[] = {
        {"conv2d.plain", {}},
        {"conv2d.s2p1d2g2", {.stride = kTwo, .padding = kOne, .dilation = kTwo, .groups = 2}},
        {"conv2d.s1p1g4", {.padding = kOne, .groups = 4}}};
    for (const auto& [name, o] : convolutions)
        check_golden(name, inputs, [o = o](const Tensors& t) { return conv2d(t[0], t[1], t[2], o); });
    const std::pair<const char*, ConvTranspose2dOptions> transposed[] = {
        {"conv_transpose2d.plain", {}},
        {"conv_transpose2d.s2p1op1g2",
         {.stride = kTwo, .padding = kOne, .output_padding = kOne, .groups = 2}}};
    for (const auto& [name, o] : transposed)
        check_golden(name, inputs,
                     [o = o](const Tensors& t) { return conv_transpose2d(t[0], t[1], t[2], o); });
}

}  // namespace lily::testing
