// SPDX-License-Identifier: MIT
#include "framework/autograd.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"
#include "tests/framework/ops/golden.h"

namespace lily::testing {
namespace {

using Factor = std::array<int64_t, 2>;

// The same by new dimensions, along which x is repeated, and which are then merged.
Tensor repeated(const Tensor& x, Factor f) {
    const int64_t n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3);
    return reshape(expand(reshape(x, {n, c, h, 1, w, 1}), {n, c, h, f[0], w, f[1]}),
                   {n, c, h * f[0], w * f[1]});
}

std::vector<OpCase> upsample_cases() {
    std::vector<OpCase> all;
    for (const Shape& shape :
         {Shape{2, 16, 3, 5}, Shape{1, 8, 2, 2}, Shape{1, 3, 5, 35}, Shape{0, 3, 4, 4}, Shape{1, 16, 0, 2}})
        for (const Factor& f : {Factor{2, 2}, {1, 3}, {3, 2}, {1, 1}})
            all.push_back({.name = fmt::format("upsample_nearest2d {} by {}x{}", shape, f[0], f[1]),
                           .shapes = {shape},
                           .op = [f](const Tensors& x) { return upsample_nearest2d(x[0], f); },
                           .formats = shape.numel() > 0,
                           .reference = [f](const Tensors& x) { return repeated(x[0], f); }});
    all.push_back({.name = "upsample_nearest2d of many rows",
                   .shapes = {{1, 16, 40, 60}},
                   .op =
                       [](const Tensors& x) {
                           return upsample_nearest2d(x[0], {2, 2});
                       },
                   .formats = true});
    return all;
}
const AddCases registered{upsample_cases()};

}  // namespace

TEST_CASE("upsample_nearest2d equals PyTorch's interpolate", "[ops][upsample_nearest2d]") {
    check_golden("upsample_nearest2d.2x3", {"x"}, [](const Tensors& x) {
        return upsample_nearest2d(x[0], {2, 3});
    });
}

TEST_CASE("upsample_nearest2d keeps the memory format, forward and backward", "[ops][upsample_nearest2d]") {
    for (const MemoryFormat format : {MemoryFormat::contiguous, MemoryFormat::channels_last,
                                      MemoryFormat::blocked8, MemoryFormat::blocked16}) {
        const Tensor x = ones({1, 16, 2, 3}, {.format = format}).set_requires_grad();
        const Tensor y = upsample_nearest2d(x, {2, 2});
        CHECK(y.format() == format);
        const Tensor dx = grad(y, {x}, {.dL_dy = ones_like(y)})[0];
        CHECK(dx.format() == format);
        CHECK(dx.to_vector() == std::vector<float>(96, 4));
    }
}

TEST_CASE("upsample_nearest2d errors", "[ops][upsample_nearest2d]") {
    CHECK_THROWS_WITH(upsample_nearest2d(zeros({3, 4}), {2, 2}),
                      "[upsample_nearest2d] expected (N,C,H,W), got (3,4)");
    CHECK_THROWS_WITH(upsample_nearest2d(zeros({1, 1, 3, 4}), {0, 2}),
                      "[upsample_nearest2d] expected factors of at least 1, got (0,2)");
    CHECK_THROWS_WITH(upsample_nearest2d(zeros({1, 1, 3, 4}, {.dtype = DType::i64}), {2, 2}),
                      "[upsample_nearest2d] expected a tensor of f32 or f64, got i64");
}

}  // namespace lily::testing
