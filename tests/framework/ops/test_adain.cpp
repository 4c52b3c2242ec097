// SPDX-License-Identifier: MIT
#include <cmath>

#include "framework/autograd.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"

namespace lily::testing {
namespace {

// By the definition, with ops.
Tensor normalised(const Tensor& x, double eps) {
    const Tensor centred = x - mean(x, {2, 3}, true);
    return centred / sqrt(mean(square(centred), {2, 3}, true) + eps);
}

std::vector<OpCase> adain_cases() {
    std::vector<OpCase> all;
    for (const Shape& shape : {Shape{1, 1, 1, 2}, Shape{2, 3, 4, 5}, Shape{1, 16, 7, 1}, Shape{2, 16, 3, 3},
                               Shape{1, 2, 17, 31}, Shape{0, 3, 2, 2}, Shape{2, 0, 2, 2}}) {
        all.push_back({.name = fmt::format("instance_norm {}", shape),
                       .shapes = {shape},
                       .op = [](const Tensors& v) { return instance_norm(v[0], 1e-2); },
                       .formats = true,
                       .reference = [](const Tensors& v) { return normalised(v[0], 1e-2); }});
        const Shape style{shape[0], shape[1]};
        all.push_back({.name = fmt::format("adain {}", shape),
                       .shapes = {shape, style, style},
                       .op = [](const Tensors& v) { return adain(v[0], v[1], v[2], 1e-2); },
                       .formats = true,
                       .reference =
                           [](const Tensors& v) {
                               const auto plane = [](const Tensor& t) {
                                   return reshape(t, {t.size(0), t.size(1), 1, 1});
                               };
                               return normalised(v[0], 1e-2) * (plane(v[1]) + 1) + plane(v[2]);
                           }});
    }
    return all;
}

const AddCases registered{adain_cases()};

}  // namespace

TEST_CASE("adain: values, planes without spread, errors", "[ops][adain]") {
    const Tensor x = from_vector<float>({1, 3, 5, 5}, {1, 2, 1, 2});
    CHECK(instance_norm(x, 0.0).to_vector()[1] == 1);
    CHECK(instance_norm(x).to_vector()[2] == 0);  // 0 · 1/√eps, not NaN
    const Tensor s = from_vector<float>({1, 2}, {1, 2}), b = from_vector<float>({10, 20}, {1, 2});
    const auto y = adain(x, s, b).to_vector();
    CHECK(y[0] == Approx(8));
    CHECK(y[1] == Approx(12));
    CHECK((y[2] == 20 && y[3] == 20));
    CHECK_THROWS_WITH(instance_norm(zeros({2, 3})), "[instance_norm] expected (N,C,H,W), got (2,3)");
    CHECK_THROWS_WITH(instance_norm(x, -1), "[instance_norm] expected eps >= 0, got -1");
    CHECK_THROWS_WITH(adain(x, s, zeros({2})), "[adain] expected a bias (1,2) for x (1,2,1,2), got (2)");
    CHECK_THROWS_WITH(adain(x, s.to(DType::f64), b),
                      "[adain] expected equal dtypes, got x f32 and scale f64");
}

TEST_CASE("adain: only the gradients asked for", "[ops][adain]") {
    Tensor x = from_vector<float>({1, 3, 5, 9}, {1, 2, 1, 2});
    Tensor s = zeros({1, 2}).set_requires_grad();
    sum(adain(x, s, zeros({1, 2})) * x).backward();
    CHECK(s.grad().to_vector()[0] == Approx(2));
    CHECK(!x.grad().defined());
}

TEST_CASE("adain: the style's gradients of empty planes are 0", "[adain]") {
    allocator(Device::cpu).poison(true);
    const Tensor x = zeros({1, 2, 0, 3});
    const Tensor scale = ones({1, 2}).set_requires_grad(), bias = ones({1, 2}).set_requires_grad();
    for (const Tensor& gradient : grad(sum(adain(x, scale, bias)), {scale, bias}))
        CHECK(gradient.to_vector() == std::vector<float>{0, 0});
    allocator(Device::cpu).poison(false);
}

}  // namespace lily::testing
