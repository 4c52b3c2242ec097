// SPDX-License-Identifier: MIT
// The edge cases of all ops but those that docs/kinks.md lists (test_kinks.cpp).
#include <cmath>
#include <limits>

#include "tests/catch.h"
#include "tests/framework/check_edges.h"

namespace lily::testing {
namespace {

using Tensors = std::vector<Tensor>;

constexpr double kInf = std::numeric_limits<double>::infinity(),
                 kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<double> repeated(const std::vector<double>& values, int64_t times) {
    std::vector<double> all;
    for (int64_t i = 0; i < times; ++i)
        for (const double v : values) all.push_back(v);
    return all;
}
std::vector<double> same(int64_t n, double value) { return repeated({value}, n); }

// n equal numbers have that number as their mean, and each has an n-th of the gradient: 1 / n · n may not
// be 1.
std::vector<EdgeCase> quotient_edges() {
    std::vector<EdgeCase> all;
    for (const int64_t n : {3, 41, 47, 49, 55, 61, 82, 83, 98, 107, 20'011}) {
        const auto count = static_cast<double>(n);
        all.push_back({.name = fmt::format("mean of {} ones", n),
                       .inputs = {{same(n, 1)}},
                       .op = [](const Tensors& x) { return mean(x[0]); },
                       .want = {1},
                       .gradients = {same(n, 1 / count)}});
        all.push_back({.name = fmt::format("mean of {} rows of ones", n),
                       .inputs = {{same(3 * n, 1), {n, 3}}},
                       .op = [](const Tensors& x) { return mean(x[0], {0}); },
                       .want = {1, 1, 1},
                       .gradients = {same(3 * n, 7 / count)},
                       .dy = {7}});
        all.push_back({.name = fmt::format("div by {}", n),
                       .inputs = {{{count, 7, 0, -kInf}}},
                       .op = [count](const Tensors& x) { return x[0] / count; },
                       .want = {1, 7 / count, 0, -kInf},
                       .gradients = {{1, 7 / count, 5 / count, kInf}},
                       .dy = {count, 7, 5, kInf}});
        all.push_back({.name = fmt::format("mse_loss of {} ones", n),
                       .inputs = {{same(n, 1)}, {same(n, 0)}},
                       .op = [](const Tensors& x) { return mse_loss(x[0], x[1]); },
                       .want = {1},
                       .gradients = {same(n, 2 / count), same(n, -2 / count)}});
        all.push_back({.name = fmt::format("binary_cross_entropy_with_logits of {} equal logits", n),
                       .inputs = {{same(n, 1024)}, {same(n, 0)}},
                       .op = [](const Tensors& x) { return binary_cross_entropy_with_logits(x[0], x[1]); },
                       .want = {1024},
                       .gradients = {same(n, 7 / count)},
                       .dy = {7}});
    }
    for (const int64_t k : {3, 5, 6, 7}) {
        const double count = static_cast<double>(k * k);
        all.push_back({.name = fmt::format("avg_pool2d {0}x{0} of ones", k),
                       .inputs = {{same(8 * k * k, 1), {1, 8, k, k}}},
                       .op = [k](const Tensors& x) { return avg_pool2d(x[0], k); },
                       .want = same(8, 1),
                       .gradients = {same(8 * k * k, 5 / count)},
                       .dy = {5}});
        all.push_back({.name = fmt::format("avg_pool2d {0}x{0} of ones, blocked", k),
                       .inputs = {{same(8 * k * k, 1), {1, 8, k, k}}},
                       .op =
                           [k](const Tensors& x) {
                               const bool cpu = x[0].device() == Device::cpu;
                               return avg_pool2d(
                                   x[0].to(cpu ? MemoryFormat::blocked8 : MemoryFormat::channels_last), k);
                           },
                       .want = same(8, 1),
                       .gradients = {same(8 * k * k, 5 / count)},
                       .dy = {5}});
    }
    return all;
}

// 0 · inf and 1 / subnormal within gradients that are neither.
std::vector<EdgeCase> gradient_edges() {
    return {
        {.name = "log at a subnormal number",
         .inputs = {{{1e-40, 1e-40, 1}}},
         .op = [](const Tensors& x) { return log(x[0]); },
         .want = {std::log(1e-40), std::log(1e-40), 0},
         .gradients = {{0, 1, 2}},
         .dy = {0, 1e-40, 2},
         .tolerance = 1e-4},  // few bits of a subnormal number are left
        {.name = "reciprocal of a small number",
         .inputs = {{{1e-30, 1e-30}}},
         .op = [](const Tensors& x) { return reciprocal(x[0]); },
         .want = {1e30, 1e30},
         .gradients = {{0, -1e25}},
         .dy = {0, 1e-35},
         .tolerance = 1e-6},
        {.name = "square whose slope is out of range",
         .inputs = {{{3e38, 3e38}}},
         .op = [](const Tensors& x) { return masked(square(x[0]), zeros_like(x[0].detach())); },
         .want = {0, 0},
         .gradients = {{0, 0}}},
        {.name = "pow to 0, whatever comes from above",
         .inputs = {{{-1, 0, 2, kInf, kNan}}},
         .op = [](const Tensors& x) { return pow(x[0], 0); },
         .want = {1, 1, 1, 1, 1},
         .gradients = {{0, 0, 0, 0, 0}},
         .dy = {kInf, kInf, kNan, kInf, 1}},
        {.name = "sign, whatever comes from above",
         .inputs = {{{-1, 0, 2}}},
         .op = [](const Tensors& x) { return sign(x[0]); },
         .want = {-1, 0, 1},
         .gradients = {{0, 0, 0}},
         .dy = {kInf, kInf, kNan}},
        {.name = "abs, whatever comes from above",
         .inputs = {{{-1, 0, 2, kNan}}},
         .op = [](const Tensors& x) { return abs(x[0]); },
         .want = {1, 0, 2, kNan},
         .gradients = {{-kInf, kNan, kInf, 0}},
         .dy = {kInf, kInf, kInf, 1}},
        {.name = "leaky_relu with slope 0, an infinity from above",
         .inputs = {{{-1, 0, 2}}},
         .op = [](const Tensors& x) { return leaky_relu(x[0], 0); },
         .want = {0, 0, 2},
         .gradients = {{kNan, kNan, kInf}},
         .dy = {kInf}},
        {.name = "linear_leaky_relu with slope 0, an infinity from above",
         .inputs = {{{-1, 0, 2}, {3, 1}}, {{1}, {1, 1}}},
         .op = [](const Tensors& x) { return linear_leaky_relu(x[0], x[1], {}, 0); },
         .want = {0, 0, 2},
         .gradients = {{kNan, kNan, kInf}},
         .dy = {kInf}},
        {.name = "relu, clamp, an infinity from above",
         .inputs = {{{-1, 0, 2, 5}}},
         .op = [](const Tensors& x) { return relu(x[0]) + clamp(x[0], 0, 5); },
         .want = {0, 0, 4, 10},
         .gradients = {{0, 0, kInf, kInf}},
         .dy = {kInf}},
        {.name = "binary_cross_entropy_with_logits of infinities",
         .inputs = {{{kInf, kInf, kInf, -kInf, -kInf, -kInf, kNan}}, {{0, 0.5, 1, 0, 0.5, 1, 0}}},
         .op = [](const Tensors& x) { return binary_cross_entropy_with_logits(x[0], x[1], Reduction::none); },
         .want = {kInf, kInf, 0, 0, kInf, kInf, kNan},
         .gradients = {{1, 0.5, 0, 0, -0.5, -1, kNan}}},
    };
}

// Partial sums leave the range of f32, the sum does not; for loops over a few values and over many.
std::vector<EdgeCase> sum_edges() {
    std::vector<EdgeCase> all;
    const std::vector<double> huge{3e38, 3e38, -3e38, -3e38};
    for (const int64_t times : {1, 8, 300, 6'000}) {
        const auto values = repeated(huge, times);
        const auto n = static_cast<int64_t>(values.size());
        all.push_back({.name = fmt::format("sum of {} huge numbers that cancel", n),
                       .inputs = {{values}},
                       .op = [](const Tensors& x) { return sum(x[0]); },
                       .want = {0}});
        std::vector<double> columns;
        for (const double v : values)
            for (const double sign : {1, 1, -1}) columns.push_back(sign * v);
        all.push_back({.name = fmt::format("sum of {} rows of huge numbers that cancel", n),
                       .inputs = {{columns, {n, 3}}},
                       .op = [](const Tensors& x) { return sum(x[0], {0}); },
                       .want = {0, 0, 0}});
        all.push_back({.name = fmt::format("mean of {} huge numbers that cancel", n),
                       .inputs = {{values}},
                       .op = [](const Tensors& x) { return mean(x[0]); },
                       .want = {0}});
        all.push_back({.name = fmt::format("log_softmax of {}, huge gradients that cancel", n),
                       .inputs = {{same(n, 0)}},
                       .op = [](const Tensors& x) { return log_softmax(x[0], 0); },
                       .want = same(n, -std::log(static_cast<double>(n))),
                       .gradients = {values},
                       .dy = values,
                       .tolerance = 1e-6});
        all.push_back({.name = fmt::format("instance_norm of {} huge numbers", n),
                       .inputs = {{values, {1, 1, 1, n}}},
                       .op = [](const Tensors& x) { return instance_norm(x[0]); },
                       .want = repeated({1, 1, -1, -1}, times),
                       .tolerance = 1e-5});
    }
    return all;
}

// Statistics whose rounding to f32 would show.
std::vector<EdgeCase> norm_edges() {
    std::vector<EdgeCase> all;
    const double r = 1 / std::sqrt(80.0);  // of 0, 8, 16, 24 around their mean, 12
    const std::vector<double> large{1e8, 1e8 + 8, 1e8 + 16, 1e8 + 24}, want{-12 * r, -4 * r, 4 * r, 12 * r},
        slope{0.3 * r, -0.4 * r, -0.1 * r, 0.2 * r};  // of the first: r (dy - 1/4 - x̂ x̂₀ / 4)
    const std::vector<double> square{1e20, -1e20, 1e20, -1e20}, shares{0.5e-20, 0, -0.5e-20, 0},
        ones{1, -1, 1, -1}, first{1, 0, 0, 0};
    const std::vector<double> even{1e8 + 8, 1e8, 1e8, 1e8 + 8}, tilted{4, -4, -4, 4};
    const auto add = [&](const char* op, const Shape& shape, auto normalise) {
        const auto name = [&](const char* what) { return fmt::format("{} {} {}", op, shape, what); };
        all.push_back({.name = name("of a small spread around a large mean"),
                       .inputs = {{large, shape}},
                       .op = normalise,
                       .want = want,
                       .gradients = {slope},
                       .dy = first,
                       .tolerance = 2e-6});
        all.push_back({.name = name("of numbers whose squares are out of range"),
                       .inputs = {{square, shape}},
                       .op = normalise,
                       .want = ones,
                       .gradients = {shares},
                       .dy = first,
                       .tolerance = 1e-6});
        all.push_back({.name = name("under large gradients"),
                       .inputs = {{ones, shape}},
                       .op = normalise,
                       .want = ones,
                       .gradients = {tilted},
                       .dy = even,
                       .tolerance = 1e-6});
        const auto with_infinity = [&](double value) {
            all.push_back({.name = name(fmt::format("of {}", value).c_str()),
                           .inputs = {{{1, value, 2, 3}, shape}},
                           .op = normalise,
                           .want = same(4, kNan),
                           .gradients = {same(4, kNan)}});
        };
        with_infinity(kInf);
        with_infinity(kNan);
    };
    for (const Shape& shape : {Shape{4, 1}, Shape{2, 1, 2}, Shape{1, 1, 2, 2}})
        add("batch_norm", shape, [](const Tensors& x) {
            return batch_norm(x[0], {}, {}, {}, {}, {.training = true, .eps = 1e-12});
        });
    add("instance_norm", {1, 1, 2, 2}, [](const Tensors& x) { return instance_norm(x[0], 1e-12); });
    add("adain", {1, 1, 1, 4}, [](const Tensors& x) {
        const Tensor none = zeros({1, 1}, x[0].options());
        return adain(x[0], none, none, 1e-12);
    });
    all.push_back({.name = "instance_norm of a constant plane, eps 0",
                   .inputs = {{{5, 5, 5, 5}, {1, 2, 1, 2}}},
                   .op = [](const Tensors& x) { return instance_norm(x[0], 0); },
                   .want = same(4, 0),
                   .gradients = {same(4, 0)},
                   .dy = {1, 2, 3, 4}});
    all.push_back({.name = "adain of a constant plane, eps 0",
                   .inputs = {{{5, 5}, {1, 1, 1, 2}}, {{3}, {1, 1}}, {{7}, {1, 1}}},
                   .op = [](const Tensors& x) { return adain(x[0], x[1], x[2], 0); },
                   .want = {7, 7},
                   .gradients = {{0, 0}, {0}, {3}},
                   .dy = {1, 2}});
    for (const Shape& shape : {Shape{4, 1}, Shape{1, 1, 4}})
        all.push_back({.name = fmt::format("batch_norm {} with given statistics, of infinities", shape),
                       .inputs = {{{kInf, -kInf, kNan, 1}, shape}, {{2}}, {{1}}},
                       .op =
                           [](const Tensors& x) {
                               const TensorOptions o{.dtype = x[0].dtype(), .device = x[0].device()};
                               return batch_norm(x[0], full({1}, 1, o), full({1}, 0.25, o), x[1], x[2],
                                                 {.eps = 1e-30});
                           },
                       .want = {kInf, -kInf, kNan, 1},
                       .gradients = {same(4, 4), {}, {4}},
                       .tolerance = 1e-6});
    return all;
}

// Where PyTorch takes what would be easy to refuse.
std::vector<EdgeCase> shape_edges() {
    const EdgeInput x{{1, 2, 3, 4, 5, 6}, {2, 3}}, number{{7}, {}};
    return {
        {.name = "sum over no dimension is one over all",
         .inputs = {x},
         .op = [](const Tensors& v) { return sum(v[0], {}); },
         .want = {21},
         .gradients = {same(6, 2)},
         .dy = {2}},
        {.name = "mean over no dimension is one over all",
         .inputs = {x},
         .op = [](const Tensors& v) { return mean(v[0], {}); },
         .want = {3.5},
         .gradients = {same(6, 1)},
         .dy = {6}},
        {.name = "amax over no dimension is one over all",
         .inputs = {x},
         .op = [](const Tensors& v) { return amax(v[0], {}); },
         .want = {6},
         .gradients = {{0, 0, 0, 0, 0, 1}}},
        {.name = "sum of a scalar over its one dimension",
         .inputs = {number},
         .op = [](const Tensors& v) { return sum(v[0], {0}) + mean(v[0], {-1}) + amax(v[0], {0}); },
         .want = {21},
         .gradients = {{3}}},
        {.name = "squeeze of a dimension that is not 1",
         .inputs = {x},
         .op = [](const Tensors& v) { return squeeze(v[0], 0) * 2.0; },
         .want = {2, 4, 6, 8, 10, 12},
         .gradients = {same(6, 2)}},
        {.name = "squeeze of a scalar",
         .inputs = {number},
         .op = [](const Tensors& v) { return squeeze(v[0], -1) * 2.0; },
         .want = {14}},
        // y[i] = Σ x[j] w[t] where i = j + 2 t; one more row and column, which belong to no x
        {.name = "conv_transpose2d, stride <= output_padding < dilation",
         .inputs = {{{1, 2}, {1, 1, 1, 2}}, {{1, 10}, {1, 1, 1, 2}}},
         .op =
             [](const Tensors& v) {
                 return conv_transpose2d(v[0], v[1], {},
                                         {.stride = {1, 1}, .output_padding = {1, 1}, .dilation = {2, 2}});
             },
         .want = {1, 2, 10, 20, 0, 0, 0, 0, 0, 0},
         .gradients = {{11, 11}, {3, 3}}},
        // cut off by one on both sides, and given back the right one
        {.name = "conv_transpose2d, output_padding gives back what padding cuts off",
         .inputs = {{{1, 2}, {1, 1, 1, 2}}, {{1, 10}, {1, 1, 1, 2}}, {{100}}},
         .op =
             [](const Tensors& v) {
                 return conv_transpose2d(
                     v[0], v[1], v[2],
                     {.stride = {1, 1}, .padding = {0, 1}, .output_padding = {0, 1}, .dilation = {2, 2}});
             },
         .want = {102, 110, 120},
         .gradients = {{10, 11}, {2, 3}, {3}}},
    };
}

const AddEdges quotients{quotient_edges()}, gradients{gradient_edges()}, sums{sum_edges()},
    norms{norm_edges()}, shapes{shape_edges()};

}  // namespace
}  // namespace lily::testing
