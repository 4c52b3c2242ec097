// SPDX-License-Identifier: MIT
#include "framework/autograd.h"
#include "kernels/common/parallel.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"

namespace lily::testing {
namespace {

std::vector<OpCase> gram_cases() {
    std::vector<OpCase> all;
    for (const Shape& shape :
         {Shape{1, 1, 1, 1}, Shape{2, 3, 4, 5}, Shape{1, 17, 1, 1}, Shape{1, 17, 3, 11}, Shape{2, 16, 1, 1},
          Shape{1, 48, 3, 3}, Shape{2, 32, 5, 7}, Shape{1, 80, 2, 5}, Shape{1, 8, 17, 31}, Shape{0, 3, 2, 2},
          Shape{2, 0, 2, 2}, Shape{2, 16, 0, 2}}) {
        const Shape matrices{shape[0], shape[1], shape[1]};
        all.push_back({.name = fmt::format("gram_loss {}", shape),
                       .shapes = {shape, matrices},
                       .op = [](const Tensors& x) { return gram_loss(x[0], x[1], 0.25, 0.1); },
                       .formats = true,
                       .reference = [](const Tensors& x) { return sse_loss(gram(x[0], 0.25), x[1], 0.1); }});
        all.push_back({.name = fmt::format("gram {}", shape),
                       .shapes = {shape},
                       .op = [](const Tensors& x) { return gram(x[0], 0.25); },
                       .formats = true,
                       .reference =
                           [](const Tensors& x) {
                               const Tensor f = flatten(x[0], 2);  // G[i,j] = ¼ Σ_m F[i,m] F[j,m]
                               return 0.25 * sum(unsqueeze(f, 2) * unsqueeze(f, 1), {3});
                           }});
    }
    return all;
}

const AddCases registered{gram_cases()};

const MemoryFormat kFormats[] = {MemoryFormat::contiguous, MemoryFormat::channels_last,
                                 MemoryFormat::blocked8, MemoryFormat::blocked16};

// Activations after a ReLU, (n,c,h,w).
Tensor features(const Shape& shape, DType dtype) {
    const OpCase c{.name = "features", .shapes = {shape}, .op = nullptr};
    return relu(make_inputs(c, dtype)[0]);
}

}  // namespace

TEST_CASE("gram: maps of many pieces, chunks and groups, within 1e-5 of the largest entry", "[ops][gram]") {
    for (const Shape& shape : {Shape{1, 16, 97, 101}, Shape{2, 144, 20, 29}, Shape{1, 272, 17, 16}}) {
        Tensor x64 = features(shape, DType::f64).set_requires_grad();
        const Tensor want = gram(x64, 1e-3);
        const Tensor dg = features(want.shape(), DType::f64) - 0.5;  // not symmetric
        const Tensor want_dx = grad(want, {x64}, {.dL_dy = dg})[0];
        for (const MemoryFormat format : kFormats) {
            Tensor x32 = x64.detach().to(DType::f32).to(format).set_requires_grad();
            const Tensor got = gram(x32, 1e-3);
            INFO(fmt::format("{} {}", shape, name(format)));
            CHECK(difference(got, want, 1e-5) == "");
            CHECK(difference(got, transpose(got, 1, 2), 0) == "");
            const Tensor dx = grad(got, {x32}, {.dL_dy = dg.to(DType::f32)})[0];
            CHECK(difference(dx, want_dx, 1e-5) == "");
            CHECK(dx.format() == format);
        }
    }
}

TEST_CASE("gram: the same bits with one thread and with two", "[ops][gram]") {
    for (const MemoryFormat format : kFormats) {
        Tensor x = features({1, 144, 20, 29}, DType::f32).to(format).set_requires_grad();
        std::vector<std::vector<float>> values;
        for (const int threads : {1, 2}) {
            kernels::set_max_threads(threads);
            const Tensor g = gram(x);
            values.push_back(g.to_vector());
            values.push_back(grad(sum(g * g), {x})[0].to_vector());
        }
        kernels::set_max_threads(0);
        INFO(name(format));
        CHECK(values[0] == values[2]);
        CHECK(values[1] == values[3]);
    }
}

TEST_CASE("gram: errors, huge values, memory formats of the result", "[ops][gram]") {
    CHECK_THROWS_WITH(gram(zeros({3, 4})), "[gram] expected (N,C,H,W), got (3,4)");
    CHECK_THROWS_WITH(gram(zeros({1, 2, 3, 4}, {.dtype = DType::i64})),
                      "[gram] expected a tensor of f32 or f64, got i64");
    for (const MemoryFormat format : kFormats) {
        const Tensor huge = gram(full({1, 16, 3, 3}, 1e18).to(format));
        CHECK(huge.format() == MemoryFormat::contiguous);
        CHECK(difference(huge, full({1, 16, 16}, 9e36), 1e-6) == "");
        CHECK(gram(full({1, 16, 3, 3}, 1e20).to(format)).to_vector() ==
              std::vector<float>(256, std::numeric_limits<float>::infinity()));
    }
    CHECK(gram(zeros({1, 16, 0, 3})).to_vector() == std::vector<float>(256, 0));
}

TEST_CASE("gram_loss: errors, only the gradients asked for", "[ops][gram]") {
    const Tensor f = ones({1, 2, 2, 3});
    CHECK(gram_loss(f, ones({1, 2, 2}), 0.5, 2).item() == 2 * 4 * 4);  // 6/2 - 1 = 2 in 4 places
    CHECK_THROWS_WITH(gram_loss(ones({2, 3}), f), "[gram_loss] expected (N,C,H,W), got (2,3)");
    CHECK_THROWS_WITH(gram_loss(f, ones({2, 2})),
                      "[gram_loss] expected a target (1,2,2) for features (1,2,2,3), got (2,2)");
    CHECK_THROWS_WITH(gram_loss(f, ones({1, 2, 2}, {.dtype = DType::f64})),
                      "[gram_loss] expected equal dtypes, got f32 and f64");
    Tensor target = zeros({1, 2, 2}).set_requires_grad();
    gram_loss(f, target).backward();
    CHECK(target.grad().to_vector() == std::vector<float>(4, -12));
}

}  // namespace lily::testing
