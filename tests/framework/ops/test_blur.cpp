// SPDX-License-Identifier: MIT
#include <limits>

#include "framework/autograd.h"
#include "tests/catch.h"
#include "tests/framework/check_edges.h"
#include "tests/framework/check_op.h"
#include "tests/framework/ops/golden.h"

namespace lily::testing {
namespace {

// Every channel convolved with the outer product of the taps.
Tensor by_conv2d(const Tensor& x, const std::vector<double>& filter) {
    const auto n = static_cast<int64_t>(filter.size()), c = x.size(1);
    const Tensor taps = from_vector(filter, {n}), normalised = taps / sum(taps);
    const Tensor weight = reshape(normalised, {n, 1}) * reshape(normalised, {1, n});
    return conv2d(x, expand(reshape(weight, {1, 1, n, n}), {c, 1, n, n}), {},
                  {.padding = {n / 2, n / 2}, .groups = c});
}

std::vector<OpCase> blur_cases() {
    std::vector<OpCase> all;
    const std::vector<double> asymmetric{1, 2, 4, 0, 3};
    for (const Shape& shape :
         {Shape{2, 16, 3, 5}, Shape{1, 8, 1, 1}, Shape{1, 3, 19, 35}, Shape{1, 16, 33, 40}})
        for (const auto& filter : {std::vector<double>{1, 2, 1}, {3}, asymmetric, {1, 1, 1, 1, 1, 1, 2}}) {
            if (shape.numel() > 10'000 && filter.size() != 3) continue;  // several pieces of a parallel loop
            all.push_back({.name = fmt::format("blur {} by {}", shape, fmt::join(filter, ",")),
                           .shapes = {shape},
                           .op = [filter](const Tensors& x) { return blur(x[0], filter); },
                           .formats = true,
                           .reference = [filter](const Tensors& x) { return by_conv2d(x[0], filter); }});
        }
    for (const Shape& shape : {Shape{0, 3, 4, 4}, Shape{1, 16, 0, 2}, Shape{1, 3, 4, 0}})
        all.push_back({.name = fmt::format("blur {}", shape), .shapes = {shape}, .op = [](const Tensors& x) {
                           return blur(x[0]);
                       }});
    return all;
}
const AddCases registered{blur_cases()};

constexpr double kInf = std::numeric_limits<double>::infinity(),
                 kNan = std::numeric_limits<double>::quiet_NaN();
const AddEdges edges{{{.name = "blur: what is not finite stays within the filter's reach",
                       .inputs = {{{0, kInf, 0, 0, 0, 0, kNan, 0}, {1, 1, 1, 8}}},
                       .op = [](const std::vector<Tensor>& x) { return blur(x[0]); },
                       .want = {kInf, kInf, kInf, 0, 0, kNan, kNan, kNan},
                       .gradients = {{0, 0, kInf, kInf, kInf, 0, 0, 0}},
                       .dy = {0, 0, 0, kInf, 0, 0, 0, 0}}}};

}  // namespace

TEST_CASE("blur equals PyTorch's conv2d of each channel", "[ops][blur]") {
    check_golden("blur.124", {"x"}, [](const Tensors& x) { return blur(x[0], {1, 2, 4}); });
}

TEST_CASE("blur keeps the memory format, forward and backward", "[ops][blur]") {
    for (const MemoryFormat format : {MemoryFormat::contiguous, MemoryFormat::channels_last,
                                      MemoryFormat::blocked8, MemoryFormat::blocked16}) {
        const Tensor x = ones({1, 16, 3, 3}, {.format = format}).set_requires_grad();
        const Tensor y = blur(x);
        CHECK(y.format() == format);
        CHECK(grad(y, {x}, {.dL_dy = y.detach()})[0].format() == format);
    }
}

TEST_CASE("blur errors", "[ops][blur]") {
    CHECK_THROWS_WITH(blur(zeros({3, 4})), "[blur] expected (N,C,H,W), got (3,4)");
    CHECK_THROWS_WITH(blur(zeros({1, 1, 3, 4}), {1, 1}),
                      "[blur] expected an odd number of taps up to 15, got 2");
    CHECK_THROWS_WITH(blur(zeros({1, 1, 3, 4}), {1, -2, 1}),
                      "[blur] the taps 1 -2 1 add up to 0: the filter cannot be normalised");
    CHECK_THROWS_WITH(blur(zeros({1, 1, 3, 4}, {.dtype = DType::i64})),
                      "[blur] expected a tensor of f32 or f64, got i64");
}

}  // namespace lily::testing
