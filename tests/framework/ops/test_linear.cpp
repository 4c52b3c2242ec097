// SPDX-License-Identifier: MIT
#include <cmath>

#include "framework/autograd.h"
#include "kernels/common/parallel.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"
#include "tests/framework/ops/golden.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

std::vector<OpCase> linear_cases() {
    std::vector<OpCase> all;
    const std::vector<std::pair<Shape, Shape>> pairs = {
        {{5}, {3, 5}},          {{1, 1}, {1, 1}},   {{4, 31}, {17, 31}}, {{2, 3, 5}, {4, 5}},
        {{2, 3, 2, 5}, {4, 5}}, {{17, 9}, {20, 9}}, {{0, 5}, {3, 5}},    {{3, 0}, {2, 0}},
        {{70, 37}, {53, 37}},   {{3, 4}, {0, 4}}};
    for (const auto& pair : pairs) {
        const Shape &x = pair.first, &weight = pair.second;
        all.push_back(
            {.name = fmt::format("linear {} by {}", x, weight),
             .shapes = {x, weight, {weight[0]}},
             .op = [](const Tensors& v) { return linear(v[0], v[1], v[2]); },
             .formats = x.rank() == 4,
             .reference = [](const Tensors& v) { return sum(unsqueeze(v[0], -2) * v[1], {-1}) + v[2]; }});
        all.push_back({.name = fmt::format("linear {} by {} without bias", x, weight),
                       .shapes = {x, weight},
                       .op = [](const Tensors& v) { return linear(v[0], v[1]); }});
        // The activations' kinks are met with probability 0.
        const auto with = [&](const char* op, auto fused, auto activation) {
            all.push_back({.name = fmt::format("{} {} by {}", op, x, weight),
                           .shapes = {x, weight, {weight[0]}},
                           .op = [fused](const Tensors& v) { return fused(v[0], v[1], v[2]); },
                           .formats = x.rank() == 4,
                           .reference =
                               [activation](const Tensors& v) {
                                   return activation(sum(unsqueeze(v[0], -2) * v[1], {-1}) + v[2]);
                               }});
        };
        using T = const Tensor&;
        with(
            "linear_relu", [](T a, T w, T b) { return linear_relu(a, w, b); }, relu);
        with(
            "linear_leaky_relu", [](T a, T w, T b) { return linear_leaky_relu(a, w, b, 0.2); },
            [](T z) { return leaky_relu(z, 0.2); });
        with(
            "linear_tanh", [](T a, T w, T b) { return linear_tanh(a, w, b); }, lily::tanh);
        // A scale of the weight; the reference has it on the other side of the product.
        const auto scaled = [&](const char* op, auto fused, auto activation) {
            all.push_back({.name = fmt::format("{} {} by {} scaled", op, x, weight),
                           .shapes = {x, weight, {weight[0]}},
                           .op = [fused](const Tensors& v) { return fused(v[0], v[1], v[2]); },
                           .formats = x.rank() == 4,
                           .reference =
                               [activation](const Tensors& v) {
                                   return activation(sum(unsqueeze(v[0], -2) * (v[1] * 0.7), {-1}) + v[2]);
                               }});
        };
        scaled(
            "linear", [](T a, T w, T b) { return linear(a, w, b, {.weight_scale = 0.7}); },
            [](T z) { return z; });
        scaled(
            "linear_leaky_relu",
            [](T a, T w, T b) { return linear_leaky_relu(a, w, b, 0.2, {.weight_scale = 0.7}); },
            [](T z) { return leaky_relu(z, 0.2); });
        scaled(
            "linear_tanh", [](T a, T w, T b) { return linear_tanh(a, w, b, {.weight_scale = 0.7}); },
            lily::tanh);
        all.push_back({.name = fmt::format("linear_tanh {} by {} without bias", x, weight),
                       .shapes = {x, weight},
                       .op = [](const Tensors& v) { return linear_tanh(v[0], v[1]); }});
    }
    return all;
}

const AddCases registered{linear_cases()};

}  // namespace

TEST_CASE("linear: values, errors, only the gradients asked for", "[ops][linear]") {
    const Tensor w = from_vector<float>({1, 2, 3, 4, 5, 6}, {2, 3});
    const Tensor b = from_vector<float>({10, 20}, {2});
    CHECK(linear(from_vector<float>({1, 0, -1}, {3}), w, b).to_vector() == std::vector<float>{8, 18});
    CHECK(linear(zeros({4, 0}), zeros({2, 0}), b).to_vector() ==
          std::vector<float>{10, 20, 10, 20, 10, 20, 10, 20});
    CHECK_THROWS_WITH(linear(zeros({2, 4}), w, b), "[linear] expected x (…,3) for a weight (2,3), got (2,4)");
    CHECK_THROWS_WITH(linear(zeros({2, 3}), b), "[linear] expected a weight (out,in), got (2)");
    CHECK_THROWS_WITH(linear(zeros({2, 3}), w, zeros({3})),
                      "[linear] expected a bias (2) for a weight (2,3), got (3)");
    CHECK_THROWS_WITH(linear(zeros({2, 3}, {.dtype = DType::f64}), w),
                      "[linear] expected equal dtypes, got x f64 and weight f32");
    CHECK_THROWS_WITH(linear(zeros({2, 3}), w, b, {.weight_scale = INFINITY}),
                      "[linear] expected a finite weight_scale, got inf");

    Tensor x = ones({2, 3}).set_requires_grad();
    Tensor weight = w.clone();
    const Tensor y = linear(x, weight);  // the gradient of x does not need x: it may change
    x.detach().fill_(7);
    sum(y).backward();
    CHECK(x.grad().to_vector() == std::vector<float>{5, 7, 9, 5, 7, 9});
    CHECK(!weight.grad().defined());
}

TEST_CASE("linear: NaN and infinities pass through what follows", "[ops][linear]") {
    const Tensor x = from_vector<float>({NAN, INFINITY, -INFINITY, 0, -0.0f}, {5, 1}), w = ones({1, 1});
    const auto relu_y = linear_relu(x, w).to_vector();
    CHECK(std::isnan(relu_y[0]));
    CHECK(std::vector<float>(relu_y.begin() + 1, relu_y.end()) == std::vector<float>{INFINITY, 0, 0, 0});
    const auto leaky = linear_leaky_relu(x, w, {}, 0.5).to_vector();
    CHECK((std::isnan(leaky[0]) && leaky[1] == INFINITY && leaky[2] == -INFINITY));
    const auto tanh_y = linear_tanh(x, w).to_vector();
    CHECK((std::isnan(tanh_y[0]) && tanh_y[1] == 1 && tanh_y[2] == -1));
    // as large as a library takes it on a GPU
    for (const Device device : devices()) {
        std::vector<float> values(64 * 64, 1);
        values[5] = NAN;
        const Tensor large = from_vector<float>(values, {64, 64}).to(device), id = ones({64, 64}).to(device);
        const auto y = linear_relu(large, id, ones({64}).to(device)).to_vector();
        INFO(name(device));
        CHECK(std::isnan(y[0]));
        CHECK(y[64] == 65);
    }
    CHECK_THROWS_WITH(linear_leaky_relu(x, w, {}, -1),
                      "[linear_leaky_relu] expected negative_slope >= 0, got -1");
    CHECK_THROWS_WITH(linear_tanh(x, ones({1, 2})),
                      "[linear_tanh] expected x (…,2) for a weight (1,2), got (5,1)");
}

TEST_CASE("linear: the same bits for any number of threads", "[ops][linear]") {
    const OpCase c{.name = "threads", .shapes = {{130, 784}, {300, 784}, {300}, {130, 300}}, .op = nullptr};
    Tensors first;
    for (const int threads : {1, 2, 3}) {
        kernels::set_max_threads(threads);
        Tensors x = make_inputs(c, DType::f32);
        for (Tensor& t : x) t.set_requires_grad();
        const Tensor y = linear_leaky_relu(x[0], x[1], x[2], 0.2);
        Tensors results = grad(sum(y * x[3]), x);
        results.push_back(y);
        for (size_t i = 0; i < first.size(); ++i) CHECK(results[i].to_vector() == first[i].to_vector());
        first = results;
    }
    kernels::set_max_threads(0);
}

// dx alone needs less memory than W has; with dW, less than two of it.
TEST_CASE("linear: a scale makes no copy of the weight", "[ops][linear]") {
    for (const Device device : {Device::cpu, Device::simt}) {
        if (!is_available(device)) continue;
        INFO(name(device));
        const TensorOptions on{.device = device};
        Tensor x = ones({2, 1024}, on), w = ones({512, 1024}, on);
        x.set_requires_grad();
        const int64_t weight_bytes = w.numel() * 4;
        const auto peak = [&](const auto& body) {
            const int64_t before = allocator(device).stats().current_bytes;
            allocator(device).reset_peak();
            body();
            return allocator(device).stats().peak_bytes - before;
        };
        const auto run = [&](const Tensors& wanted, bool create_graph) {
            const Tensor y = linear_leaky_relu(x, w, {}, 0.2, {.weight_scale = 0.5});
            CHECK(y.to_vector() == std::vector<float>(1024, 512));
            grad(sum(y), wanted, {.create_graph = create_graph});
        };
        for (const bool create_graph : {false, true}) {
            CHECK(peak([&] { run({x}, create_graph); }) < weight_bytes);
            w.set_requires_grad();
            CHECK(peak([&] { run({x, w}, create_graph); }) < 2 * weight_bytes);
            w.set_requires_grad(false);
        }
    }
}

TEST_CASE("linear: PyTorch's values", "[ops][linear]") {
    check_golden("linear", {"input", "weight", "bias"},
                 [](const Tensors& x) { return linear(x[0], x[1], x[2]); });
}

}  // namespace lily::testing
