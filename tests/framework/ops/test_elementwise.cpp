// SPDX-License-Identifier: MIT
#include <limits>

#include "framework/autograd.h"
#include "framework/ops/unary.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"
#include "tests/framework/ops/golden.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

std::vector<OpCase> unary_cases() {
    std::vector<OpCase> all;
    const auto add = [&](const std::string& name, std::function<Tensor(const Tensor&)> f, Domain domain,
                         double scale = 1) {
        for (OpCase& c : pointwise_cases(name, std::move(f), domain, scale)) all.push_back(std::move(c));
    };
    add("exp", exp, Domain::any);
    add("log", log, Domain::positive);
    add("sqrt", sqrt, Domain::positive);
    add("rsqrt", rsqrt, Domain::positive);
    add("abs", abs, Domain::away_from_zero);
    add("sign", sign, Domain::away_from_zero);
    add("square", square, Domain::any);
    add("reciprocal", reciprocal, Domain::away_from_zero);
    add(
        "pow 3", [](const Tensor& x) { return pow(x, 3); }, Domain::any);
    add(
        "pow -0.5", [](const Tensor& x) { return pow(x, -0.5); }, Domain::positive);
    add(
        "clamp", [](const Tensor& x) { return clamp(x, -0.1, 0.1); }, Domain::away_from_zero);
    add("relu", relu, Domain::away_from_zero);
    add("erf", erf, Domain::any);
    add(
        "gelu", [](const Tensor& x) { return gelu(x); }, Domain::any, 2);
    add(
        "gelu_tanh", [](const Tensor& x) { return gelu(x, GeluApproximation::tanh); }, Domain::any, 2);
    add("quick_gelu", quick_gelu, Domain::any, 2);
    add(
        "leaky_relu 0.2", [](const Tensor& x) { return leaky_relu(x, 0.2); }, Domain::away_from_zero);
    add("tanh", tanh, Domain::any);
    add("sigmoid", sigmoid, Domain::any, 3);
    add(
        "softplus", [](const Tensor& x) { return softplus(x); }, Domain::any, 5);
    add(
        "softplus beta 2", [](const Tensor& x) { return softplus(x, 2, 4); }, Domain::any);
    add(
        "affine", [](const Tensor& x) { return 2.5 * x - 1.0; }, Domain::any);
    add(
        "div by a number", [](const Tensor& x) { return x / 2.5; }, Domain::any);
    add(
        "clone", [](const Tensor& x) { return x.clone(); }, Domain::any);
    add(
        "to_dtype", [](const Tensor& x) { return x.to(DType::f64) * 2.0; }, Domain::any);
    for (OpCase& c : all) c.uses_f64 = c.name.starts_with("to_dtype");
    return all;
}

Tensor masked_where_positive(const Tensor& a, const Tensor& b) { return masked(a, is_positive(b)); }

std::vector<OpCase> binary_cases() {
    std::vector<OpCase> all;
    using Binary = Tensor (*)(const Tensor&, const Tensor&);
    const std::vector<std::tuple<const char*, Binary, Domain>> ops = {
        {"add", add, Domain::any},
        {"sub", sub, Domain::any},
        {"mul", mul, Domain::any},
        {"div", div, Domain::away_from_zero},
        {"maximum", maximum, Domain::distinct},
        {"minimum", minimum, Domain::distinct},
        {"gt", gt, Domain::distinct},
        {"ge", ge, Domain::distinct},
        {"lt", lt, Domain::distinct},
        {"le", le, Domain::distinct},
        {"eq", eq, Domain::distinct},
        {"ne", ne, Domain::distinct},
        {"masked", masked_where_positive, Domain::distinct}};
    const std::vector<std::pair<Shape, Shape>> shapes = {{{}, {}},
                                                         {{1}, {1023}},
                                                         {{33}, {33}},
                                                         {{4, 5}, {5}},
                                                         {{4, 5}, {4, 1}},
                                                         {{2, 3, 4}, {3, 1}},
                                                         {{3, 1, 2}, {1, 4, 1}},
                                                         {{5, 1}, {1, 6}},
                                                         {{0, 3}, {3}},
                                                         {{2, 16, 3, 3}, {2, 16, 3, 3}},
                                                         {{2, 16, 3, 3}, {16, 1, 1}},
                                                         {{}, {2, 3}},
                                                         {{300, 70}, {300, 70}}};
    for (const auto& [name, op, domain] : ops)
        for (const auto& [a, b] : shapes)
            all.push_back({.name = fmt::format("{} {} {}", name, a, b),
                           .shapes = {a, b},
                           .op = [op = op](const Tensors& x) { return op(x[0], x[1]); },
                           .domain = domain,
                           .formats = a.rank() == 4});
    return all;
}

const AddCases unary_registered{unary_cases()};
const AddCases binary_registered{binary_cases()};

template <class F>
double at(F f, double x) {
    return f(full({}, x, {.dtype = DType::f64})).template item<double>();
}
template <class F>
float at32(F f, float x) {
    return f(full({1}, x)).item();
}

}  // namespace

TEST_CASE("elementwise functions at their edges", "[ops]") {
    const float inf = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
    const auto same_in_both = [&](auto f, float x, double want) {
        CHECK(at(f, x) == Approx(want).margin(1e-30));
        CHECK(at32(f, x) == Approx(static_cast<float>(want)).margin(1e-30));
    };
    same_in_both(exp, 0, 1);
    same_in_both(tanh, 100, 1);
    same_in_both(tanh, -100, -1);
    same_in_both(sigmoid, -200, 0);
    same_in_both(sigmoid, 200, 1);
    same_in_both([](const Tensor& x) { return softplus(x); }, 1000, 1000);
    same_in_both([](const Tensor& x) { return softplus(x); }, -1000, 0);
    CHECK(at32(exp, 200) == inf);
    CHECK(at32(exp, -inf) == 0);
    CHECK(at32(exp, inf) == inf);
    for (auto f : {exp, log, sqrt, rsqrt, abs, square, relu, tanh, sigmoid}) {
        CHECK(std::isnan(at32(f, nan)));
        CHECK(std::isnan(at(f, nan)));
    }
    CHECK(at32(log, 0) == -inf);
    CHECK(std::isnan(at32(sqrt, -1)));
    CHECK(std::isnan(maximum(full({1}, nan), full({1}, 1)).item()));
    CHECK(std::isnan(minimum(full({1}, 1), full({1}, nan)).item()));
}

TEST_CASE("gelu equals PyTorch's", "[ops]") {
    check_golden("gelu.none", {"x"}, [](const Tensors& x) { return gelu(x[0]); });
    check_golden("gelu.tanh", {"x"}, [](const Tensors& x) { return gelu(x[0], GeluApproximation::tanh); });
}

// Far below 0 gelu is small, and 1 + erf would have lost all of its bits.
TEST_CASE("erf and gelu in f32 are exact where they are small", "[ops]") {
    for (double x = -8; x <= 4; x += 0.0625) {
        INFO("x = " << x);
        const auto in_f32 =
            static_cast<double>(at32([](const Tensor& v) { return gelu(v); }, static_cast<float>(x)));
        CHECK(in_f32 == Approx(x * 0.5 * std::erfc(-x / std::sqrt(2.0))).epsilon(8e-6).margin(1e-30));
        CHECK(at32(erf, static_cast<float>(x)) == Approx(std::erf(x)).margin(2e-7).epsilon(0));
    }
}

TEST_CASE("comparisons of whole numbers give masks of u8, on every device", "[ops][simt]") {
    const int64_t large = (int64_t{1} << 53) + 1;  // no double
    const Tensor a = from_vector<int64_t>({-1, 0, 5, large}, {4}),
                 b = from_vector<int64_t>({0, 0, -5, large - 1}, {4});
    using Op = Tensor (*)(const Tensor&, const Tensor&);
    const std::vector<std::pair<Op, std::vector<uint8_t>>> wanted = {{lt, {1, 0, 0, 0}}, {le, {1, 1, 0, 0}},
                                                                     {eq, {0, 1, 0, 0}}, {ne, {1, 0, 1, 1}},
                                                                     {ge, {0, 1, 1, 1}}, {gt, {0, 0, 1, 1}}};
    for (const Device device : devices())
        for (const auto& [op, want] : wanted) {
            INFO(name(device) << ", want " << fmt::format("{}", fmt::join(want, ",")));
            CHECK(op(a.to(device), b.to(device)).to_vector<uint8_t>() == want);
            // each of a column with each of a row, the sum of all
            const Tensor all = op(reshape(a, {4, 1}).to(device), b.to(device));
            CHECK(all.shape() == Shape{4, 4});
            for (int64_t i = 0; i < 4; ++i)
                CHECK(slice(all, 0, i, i + 1).to_vector<uint8_t>() ==
                      op(slice(a, 0, i, i + 1), b).to_vector<uint8_t>());
            CHECK(op(a.to(device), scalar(0, {.dtype = DType::i64})).numel() == 4);
            CHECK(op(zeros({0, 4}, {.dtype = DType::i64}), a).shape() == Shape{0, 4});
        }
    const Tensor many = arange(40'000, {.dtype = DType::i64});  // several pieces of a parallel loop
    CHECK(sum(lt(many, full({}, 30'001, {.dtype = DType::i64})).to(DType::f32)).item() == 30'001);
    CHECK_THROWS_WITH(eq(a, zeros({4})), "[eq] expected equal dtypes, got i64 and f32");
}

TEST_CASE("gradients at kinks are PyTorch's", "[ops]") {
    const auto slope_at = [](auto f, double x) {
        Tensor leaf = full({}, x).set_requires_grad();
        f(leaf).backward();
        return leaf.grad().item();
    };
    CHECK(slope_at(relu, 0) == 0);
    CHECK(slope_at(abs, 0) == 0);
    CHECK(slope_at([](const Tensor& x) { return clamp(x, -1, 1); }, 1) == 0);
    CHECK(slope_at([](const Tensor& x) { return clamp(x, -1, 1); }, 1.5) == 0);
    CHECK(slope_at([](const Tensor& x) { return maximum(x, scalar(2)); }, 2) == 0.5f);
    CHECK(slope_at([](const Tensor& x) { return pow(x, 0); }, 0) == 0);
    CHECK(std::isinf(slope_at(sqrt, 0)));
}

TEST_CASE("elementwise errors name the op and what came", "[ops]") {
    CHECK_THROWS_WITH(add(zeros({2, 3}), zeros({4})), "[add] shapes (2,3) and (4) do not broadcast");
    CHECK_THROWS_WITH(mul(zeros({2}), zeros({2}, {.dtype = DType::f64})),
                      "[mul] expected equal dtypes, got f32 and f64");
    CHECK_THROWS_WITH(exp(zeros({2}, {.dtype = DType::i64})),
                      "[exp] expected a tensor of f32 or f64, got i64");
    CHECK_THROWS_WITH(exp(Tensor{}), "[tensor] an undefined tensor was used");
}

TEST_CASE("elementwise: what a mask cuts off has no gradient, even where the one from above is infinite",
          "[elementwise][simt]") {
    const float infinity = std::numeric_limits<float>::infinity();
    for (const Device device : devices()) {
        INFO(name(device));
        const Tensor x = from_vector<float>({-1, 4}, {1, 2}).to(device).set_requires_grad();
        const Tensor one = ones({1, 1}).to(device), dy = from_vector<float>({infinity, 3}, {1, 2}).to(device);
        for (const bool create_graph : {false, true}) {
            const auto gradient = [&](const Tensor& y) {
                return grad(y, {x}, {.dL_dy = dy, .create_graph = create_graph})[0].to_vector();
            };
            CHECK(gradient(relu(x)) == std::vector<float>{0, 3});
            CHECK(gradient(clamp(x, 0, 10)) == std::vector<float>{0, 3});
            CHECK(gradient(maximum(x, one)) == std::vector<float>{0, 3});
            CHECK(gradient(-minimum(-x, -one)) == std::vector<float>{0, 3});
        }
        const Tensor weight = ones({1, 1, 1, 1}).to(device);
        for (const bool create_graph : {false, true}) {
            const auto gradient = [&](const Tensor& y) {
                return grad(y, {x}, {.dL_dy = reshape(dy, y.shape()), .create_graph = create_graph})[0]
                    .to_vector();
            };
            CHECK(gradient(linear_relu(reshape(x, {2, 1}), one, {})) == std::vector<float>{0, 3});
            CHECK(gradient(conv2d_relu(reshape(x, {2, 1, 1, 1}), weight, {})) == std::vector<float>{0, 3});
        }
    }
}

TEST_CASE("elementwise: quotients of very small and very large numbers", "[elementwise]") {
    for (const float size : {1e-25f, 1e25f}) {
        const Tensor a = full({1}, size).set_requires_grad(), b = full({1}, size).set_requires_grad();
        CHECK(grad(a / b, {b})[0].item() == Approx(-1 / size));
    }
    const Tensor tiny = from_vector<float>({0, 1e-40f, 1}, {3}) / 1e-40;
    CHECK(tiny.to_vector()[0] == 0);
    CHECK(tiny.to_vector()[1] == Approx(1));
    CHECK((full({1}, 1e-300, {.dtype = DType::f64}) / 1e-310).item<double>() == Approx(1e10));
}

}  // namespace lily::testing
