// SPDX-License-Identifier: MIT
#include <cmath>

#include "framework/autograd.h"
#include "kernels/common/parallel.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"
#include "tests/framework/ops/golden.h"

namespace lily::testing {
namespace {

std::vector<OpCase> loss_cases() {
    std::vector<OpCase> all;
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{31}, Shape{33}, Shape{1023}, Shape{5, 7},
                               Shape{17000}, Shape{2, 16, 3, 5}}) {
        const bool formats = shape.rank() == 4;
        all.push_back({.name = fmt::format("mse_loss {}", shape),
                       .shapes = {shape, shape},
                       .op = [](const Tensors& x) { return mse_loss(x[0], x[1]); },
                       .formats = formats,
                       .reference = [](const Tensors& x) { return mean(square(x[0] - x[1])); }});
        all.push_back({.name = fmt::format("sse_loss {}", shape),
                       .shapes = {shape, shape},
                       .op = [](const Tensors& x) { return sse_loss(x[0], x[1], 0.5); },
                       .formats = formats,
                       .reference = [](const Tensors& x) { return 0.5 * sum(square(x[0] - x[1])); }});
    }
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{33}, Shape{128, 1}, Shape{17000}, Shape{2, 16, 3, 5}})
        for (const Reduction reduction : {Reduction::none, Reduction::mean, Reduction::sum}) {
            const auto reduced = [reduction](const Tensor& each) {
                return reduction == Reduction::none  ? each
                       : reduction == Reduction::sum ? sum(each)
                                                     : mean(each);
            };
            const auto id = [&](const char* what) {
                return fmt::format("{} {}, reduction {}", what, shape, static_cast<int>(reduction));
            };
            // -ln σ(x) = softplus(-x), -ln (1 - σ(x)) = softplus(x)
            const auto composed = [reduced](const Tensor& x, const Tensor& t) {
                return reduced(t * softplus(-x, 1, 50) + (1 - t) * softplus(x, 1, 50));
            };
            all.push_back({.name = id("binary_cross_entropy_with_logits"),
                           .shapes = {shape, shape},
                           .op =
                               [reduction](const Tensors& x) {
                                   return binary_cross_entropy_with_logits(x[0], x[1], reduction);
                               },
                           .scale = 2,
                           .formats = shape.rank() == 4,
                           .reference = [composed](const Tensors& x) { return composed(x[0], x[1]); }});
            all.push_back({.name = id("binary_cross_entropy_with_logits against a constant"),
                           .shapes = {shape},
                           .op =
                               [reduction](const Tensors& x) {
                                   return binary_cross_entropy_with_logits(x[0], 0.9, reduction);
                               },
                           .formats = shape.rank() == 4,
                           .reference =
                               [composed](const Tensors& x) {
                                   return composed(x[0], full(x[0].shape(), 0.9, {.dtype = x[0].dtype()}));
                               }});
        }
    all.push_back({.name = "sse_loss (0,3)", .shapes = {{0, 3}, {0, 3}}, .op = [](const Tensors& x) {
                       return sse_loss(x[0], x[1]);
                   }});
    all.push_back({.name = "sse_loss against itself, shifted", .shapes = {{9}}, .op = [](const Tensors& x) {
                       return sse_loss(x[0], 0.5 * x[0]);
                   }});
    return all;
}

const AddCases registered{loss_cases()};

}  // namespace

TEST_CASE("losses: values, errors, only the gradients asked for", "[ops][loss]") {
    const Tensor x = from_vector<float>({1, 2, 3, 4}, {2, 2}), t = from_vector<float>({1, 0, 0, 0}, {2, 2});
    CHECK(mse_loss(x, t).item() == 29.0f / 4);
    CHECK(sse_loss(x, t).item() == 29);
    CHECK(sse_loss(x, t, 0.5).item() == 14.5f);
    Tensor leaf = x.clone().set_requires_grad();
    sse_loss(leaf, t).backward();
    CHECK(leaf.grad().to_vector() == std::vector<float>{0, 4, 6, 8});
    CHECK(std::isnan(mse_loss(zeros({0}), zeros({0})).item()));
    CHECK_THROWS_WITH(mse_loss(x, zeros({4})), "[mse_loss] expected equal shapes, got (2,2) and (4)");
    CHECK_THROWS_WITH(sse_loss(x, t.to(DType::f64)), "[sse_loss] expected equal dtypes, got f32 and f64");
}

TEST_CASE("losses: squares of huge values", "[ops][loss]") {
    const Tensor zero = zeros({1000});
    CHECK(std::isinf(sse_loss(full({1000}, 1e18), zero).item()));  // 1e39 does not fit
    CHECK(mse_loss(full({1000}, 1e18), zero).item() == Approx(1e36f));
    CHECK(sse_loss(full({1000}, 1e20), zero, 1e-10).item() ==
          Approx(1e33f));  // the sum fits, its parts do not
    CHECK(std::isinf(mse_loss(full({1000}, 1e20), zero).item()));
}

TEST_CASE("losses: memory formats may differ, the gradient comes in x's", "[ops][loss]") {
    const OpCase c{.name = "formats", .shapes = {{2, 16, 3, 5}, {2, 16, 3, 5}}, .op = nullptr};
    const Tensors v = make_inputs(c, DType::f32);
    const float want = mse_loss(v[0], v[1]).item();
    Tensor x = v[0].to(MemoryFormat::blocked16).set_requires_grad();
    const Tensor loss = mse_loss(x, v[1].to(MemoryFormat::blocked8));
    CHECK(loss.item() == Approx(want).epsilon(1e-6));
    CHECK(grad(loss, {x})[0].format() == MemoryFormat::blocked16);
}

TEST_CASE("binary_cross_entropy_with_logits: PyTorch's values, and where a naive form overflows",
          "[ops][loss]") {
    for (const auto& [name, reduction] :
         {std::pair{"none", Reduction::none}, {"mean", Reduction::mean}, {"sum", Reduction::sum}})
        check_golden(fmt::format("bce_with_logits.{}", name), {"x", "t"}, [&](const Tensors& x) {
            return binary_cross_entropy_with_logits(x[0], x[1], reduction);
        });
    const Tensor x = from_vector<float>({1000, -1000, 0}, {3});
    CHECK(binary_cross_entropy_with_logits(x, 1, Reduction::none).to_vector() ==
          std::vector<float>{0, 1000, std::log(2.0f)});
    CHECK(binary_cross_entropy_with_logits(x, 0, Reduction::none).to_vector() ==
          std::vector<float>{1000, 0, std::log(2.0f)});
    CHECK(std::isnan(binary_cross_entropy_with_logits(from_vector<float>({0, NAN}, {2}), 1).item()));
    CHECK_THROWS_WITH(binary_cross_entropy_with_logits(x, zeros({3, 1})),
                      "[binary_cross_entropy_with_logits] expected equal shapes, got (3) and (3,1)");
}

TEST_CASE("losses: the same bits with one thread and with two, exact for ten million", "[ops][loss]") {
    const Tensor x = ones({10'000'000}), t = zeros({10'000'000});
    for (const int threads : {1, 2}) {
        kernels::set_max_threads(threads);
        CHECK(sse_loss(x, t).item() == 1e7f);
    }
    kernels::set_max_threads(0);
}

}  // namespace lily::testing
