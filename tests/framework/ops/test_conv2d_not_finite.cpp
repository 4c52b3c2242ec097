// SPDX-License-Identifier: MIT
// Infinities, NaN and numbers near the largest: every form of convolution keeps them where the f64 loops do.
#include <cfloat>
#include <cmath>
#include <limits>

#include "framework/autograd.h"
#include "kernels/conv2d/conv2d.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"

namespace lily::testing {
namespace {

using kernels::Conv2dAlgorithm;

constexpr float kInfinity = std::numeric_limits<float>::infinity(),
                kNaN = std::numeric_limits<float>::quiet_NaN();

class WithAlgorithm {
  public:
    explicit WithAlgorithm(Conv2dAlgorithm algorithm) { kernels::set_conv2d_algorithm(algorithm); }
    ~WithAlgorithm() { kernels::set_conv2d_algorithm(Conv2dAlgorithm::rule); }
};

constexpr Conv2dAlgorithm kAll[] = {Conv2dAlgorithm::rule,     Conv2dAlgorithm::direct,
                                    Conv2dAlgorithm::winograd, Conv2dAlgorithm::winograd_by_filters,
                                    Conv2dAlgorithm::onednn,   Conv2dAlgorithm::onednn_winograd};

// The number of elements that differ: NaN for NaN, an infinity for what has no place in f32, else up to
// rounding, measured by the largest of the ordinary numbers.
int64_t differing(const Tensor& got, const Tensor& want) {
    REQUIRE(got.shape() == want.shape());
    const auto g = got.to_vector<double>(), w = want.to_vector<double>();
    double largest = 0;
    for (const double v : w)
        if (std::fabs(v) < 1e30) largest = std::max(largest, std::fabs(v));
    int64_t count = 0;
    for (size_t i = 0; i < w.size(); ++i) {
        const bool same = std::isnan(w[i]) ? std::isnan(g[i])
                          : std::fabs(w[i]) > FLT_MAX
                              ? g[i] == std::copysign(kInfinity, w[i])
                              : std::fabs(g[i] - w[i]) <= 2e-5 * (largest + std::fabs(w[i]));
        count += !same;
    }
    return count;
}

Tensors random_operands(const std::vector<Shape>& shapes, DType dtype) {
    return make_inputs({.name = "conv2d by hand", .shapes = shapes, .op = nullptr, .scale = 0.5}, dtype);
}

// values[i] = v, counting row by row
Tensor with_value(const Tensor& t, int64_t i, double v) {
    auto values = t.to_vector<double>();
    values[static_cast<size_t>(i)] = v;
    return from_vector(values, t.shape()).to(t.dtype());
}

Tensors in_f64(const Tensors& tensors) {
    Tensors converted;
    for (const Tensor& t : tensors) converted.push_back(t.to(DType::f64));
    return converted;
}

using Op = std::function<Tensor(const Tensors&)>;
const Conv2dOptions kPadded{.padding = {1, 1}};
const std::pair<const char*, Op> kOps[] = {
    {"conv2d", [](const Tensors& t) { return conv2d(t[0], t[1], t[2], kPadded); }},
    {"conv2d_relu", [](const Tensors& t) { return conv2d_relu(t[0], t[1], t[2], kPadded); }},
    {"conv2d_relu_max_pool2d",
     [](const Tensors& t) { return conv2d_relu_max_pool2d(t[0], t[1], t[2], kPadded); }}};

// y and, for a given dL/dy, the gradients: dx alone (which the fused kernels compute), or dx, dw and db.
Tensors results(const Op& op, Tensors xs, const Tensor& dL_dy, bool only_x) {
    for (Tensor& x : xs) x = x.detach().set_requires_grad(!only_x);
    xs[0].set_requires_grad();
    const Tensor y = op(xs), dy = dL_dy.to(y.dtype());
    Tensors all = grad(y, only_x ? Tensors{xs[0]} : xs, {.dL_dy = dy});
    all.insert(all.begin(), y.detach());
    return all;
}

const char* const kResults[] = {"y", "dx", "dw", "db"};

}  // namespace

TEST_CASE("conv2d: one large value, infinity or NaN stays where the definition puts it", "[conv2d]") {
    Tensor middle = zeros({32, 32, 3, 3});
    for (int64_t k = 0; k < 32; ++k) middle = with_value(middle, (k * 32 + 0) * 9 + 4, k == 0);
    for (const auto algorithm : kAll)
        for (const float value : {3e38f, kInfinity, kNaN}) {
            INFO("algorithm " << static_cast<int>(algorithm) << ", value " << value);
            const WithAlgorithm with(algorithm);
            const Tensor x = with_value(zeros({1, 32, 16, 16}), 7 * 16 + 6, value);
            const auto y = conv2d(x, middle, {}, kPadded).to_vector();
            int64_t nans = 0, wrong = 0;
            for (size_t i = 0; i < y.size(); ++i) {
                nans += std::isnan(y[i]);
                if (value == 3e38f) wrong += y[i] != (i == 7 * 16 + 6 ? value : 0.0f);
            }
            CHECK(wrong == 0);
            // 0 · ∞ and NaN: one 3x3 per channel, but for the ∞ that is multiplied by 1
            CHECK(nans == (value == 3e38f ? 0 : value == kInfinity ? 32 * 9 - 1 : 32 * 9));
        }
}

TEST_CASE("conv2d: values that are not finite, in any operand, give what the f64 loops give", "[conv2d]") {
    for (const Shape& x_shape : {Shape{1, 32, 16, 16}, Shape{1, 48, 18, 19}}) {
        const bool over_the_rim = x_shape[3] % 4 != 0;  // its tiles hang; what concerns maps alone
        const Tensors clean = random_operands({x_shape, {32, x_shape[1], 3, 3}, {32}}, DType::f32);
        for (const auto& [what, op] : kOps)
            for (const size_t operand : {0, 1, 2, 3})  // x, w, b, dy
                for (const float value : {3e38f, kInfinity, kNaN}) {
                    // where it meets a 0 there is a 0, to Winograd's rounding of 3e38
                    if (operand == 1 && value == 3e38f) continue;
                    if (over_the_rim && (operand == 1 || operand == 2 || &op != &kOps[2].second)) continue;
                    Tensors t = clean;
                    Tensor dy = op(clean) * 0.5 + 0.25;
                    const int64_t at[] = {5 * x_shape[3] + 6, 9 * x_shape[1] + 4, 3, dy.size(3) + 2};
                    Tensor& changed = operand == 3 ? dy : t[operand];
                    changed = with_value(changed, at[operand], value);
                    const Tensors want = results(op, in_f64(t), dy, false);
                    for (const auto algorithm : kAll) {
                        const WithAlgorithm with(algorithm);
                        for (const bool only_x : {true, false}) {
                            const Tensors got = results(op, t, dy, only_x);
                            for (size_t i = 0; i < got.size(); ++i) {
                                INFO("algorithm " << static_cast<int>(algorithm) << ", " << what << " of "
                                                  << x_shape[2] << "x" << x_shape[3] << ", operand "
                                                  << operand << ", value " << value << ", " << kResults[i]
                                                  << (only_x ? " alone" : ""));
                                CHECK(differing(got[i], want[i]) == 0);
                            }
                        }
                    }
                }
    }
}

TEST_CASE("conv2d: what no tap connects with a NaN keeps its bits", "[conv2d]") {
    const auto algorithm = GENERATE(Conv2dAlgorithm::winograd, Conv2dAlgorithm::winograd_by_filters);
    const WithAlgorithm with(algorithm);
    const Tensors t = random_operands({{1, 32, 16, 16}, {32, 32, 3, 3}, {32}}, DType::f32);
    const Tensor x = with_value(t[0], 5 * 16 + 6, kNaN);
    for (const auto& [what, op] : {kOps[0], kOps[1]}) {
        const auto before = op(t).to_vector(), after = op({x, t[1], t[2]}).to_vector();
        int64_t changed = 0;
        for (size_t i = 0; i < before.size(); ++i) {
            const bool in_tile = i / 16 % 16 / 4 == 1 && i % 16 / 4 == 1;  // the one with (5, 6)
            changed += !in_tile && std::memcmp(&before[i], &after[i], sizeof(float)) != 0;
        }
        INFO(what);
        CHECK(changed == 0);
    }
}

TEST_CASE("conv2d: a pooled window with an infinity sends its gradient to it", "[conv2d]") {
    const auto algorithm = GENERATE(Conv2dAlgorithm::winograd, Conv2dAlgorithm::winograd_by_filters);
    const WithAlgorithm with(algorithm);
    for (const int64_t place : {0, 1, 2, 3})
        for (const float scale : {1.0f, 2.0f}) {  // y is 3e38, or infinite
            INFO("place " << place << ", scale " << scale);
            const int64_t at = (2 + place / 2) * 8 + 4 + place % 2;
            Tensor x = with_value(full({1, 32, 8, 8}, 1), at, 3e38);
            x.set_requires_grad();
            const Tensor w = with_value(zeros({32, 32, 3, 3}), 4, scale);  // y[0] = scale x[0]
            const Tensor y = conv2d_relu_max_pool2d(x, w, {}, kPadded);
            CHECK(y.to_vector()[1 * 4 + 2] == 3e38f * scale);
            const Tensor dy = with_value(zeros(y.shape()), 1 * 4 + 2, 1);
            const auto dx = grad(y, {x}, {.dL_dy = dy})[0].to_vector();
            CHECK(std::max_element(dx.begin(), dx.end()) - dx.begin() == at);
        }
}

TEST_CASE("conv2d_relu keeps NaN on the CPU, whatever convolves", "[conv2d]") {
    const auto algorithm = GENERATE(from_range(std::begin(kAll), std::end(kAll)));
    const WithAlgorithm with(algorithm);
    struct Case {
        Shape x, w;
        Conv2dOptions options;
    };
    for (const Case& c :
         {Case{{1, 32, 8, 8}, {32, 32, 3, 3}, kPadded}, Case{{1, 3, 9, 9}, {64, 3, 3, 3}, kPadded},
          Case{{2, 32, 6, 6}, {16, 32, 1, 1}, {}}, Case{{1, 5, 6, 7}, {6, 5, 3, 3}, kPadded},
          Case{{1, 16, 9, 9}, {16, 16, 3, 3}, {.stride = {2, 2}}}})
        for (const size_t operand : {0, 1, 2}) {
            Tensors t = random_operands({c.x, c.w, {c.w[0]}}, DType::f32);
            // of a filter the middle tap: whether others meet the padding's zeros is not defined
            const int64_t taps = operand == 1 ? c.w[2] * c.w[3] : 1;
            t[operand] = with_value(t[operand], t[operand].numel() / 2 / taps * taps + taps / 2, kNaN);
            INFO(fmt::format("algorithm {}, x {}, w {}, operand {}", static_cast<int>(algorithm), c.x, c.w,
                             operand));
            const Tensors t64 = in_f64(t);
            const Tensor want = conv2d_relu(t64[0], t64[1], t64[2], c.options);
            CHECK(differing(conv2d_relu(t[0], t[1], t[2], c.options), want) == 0);
        }
}

}  // namespace lily::testing
