// SPDX-License-Identifier: MIT
#include "framework/autograd.h"
#include "kernels/common/parallel.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"
#include "tests/framework/ops/golden.h"

namespace lily::testing {
namespace {

Dims all_but_channels(const Tensor& x) {
    Dims dims{0};
    for (int64_t d = 2; d < x.rank(); ++d) dims.push_back(d);
    return dims;
}
Tensor per_channel(const Tensor& v, const Tensor& x) {
    Shape shape{1, x.size(1)};
    for (int64_t d = 2; d < x.rank(); ++d) shape.push_back(1);
    return reshape(v, shape);
}

Tensor composed(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps) {
    const Dims dims = all_but_channels(x);
    const Tensor center = x - mean(x, dims, true);
    const Tensor normal = center / sqrt(mean(square(center), dims, true) + eps);
    return normal * per_channel(weight, x) + per_channel(bias, x);
}

// Running statistics that are the same in every call, on x's device.
Tensor ramp(const Tensor& x, double first, double step) {
    return (arange(x.size(1), {.dtype = DType::f64}) * step + first).to(x.dtype()).to(x.device());
}

std::vector<OpCase> batch_norm_cases() {
    std::vector<OpCase> all;
    for (const Shape& shape : {Shape{2, 1}, Shape{5, 3}, Shape{64, 33}, Shape{3, 130}, Shape{2, 3, 1},
                               Shape{1, 4, 7}, Shape{3, 16, 5, 4}, Shape{2, 8, 1, 1}, Shape{2, 1, 17, 19}}) {
        const bool formats = shape.rank() == 4;
        const Shape channels{shape[1]};
        all.push_back({.name = fmt::format("batch_norm {}", shape),
                       .shapes = {shape, channels, channels},
                       .op =
                           [](const Tensors& x) {
                               return batch_norm(x[0], {}, {}, x[1], x[2], {.training = true, .eps = 0.1});
                           },
                       .formats = formats,
                       .reference = [](const Tensors& x) { return composed(x[0], x[1], x[2], 0.1); }});
        all.push_back({.name = fmt::format("batch_norm {} without weight", shape),
                       .shapes = {shape},
                       .op =
                           [](const Tensors& x) {
                               return batch_norm(x[0], ramp(x[0], 0, 0.25), ramp(x[0], 1, 0.5), {}, {},
                                                 {.training = true, .eps = 0.1});
                           },
                       .formats = formats});
        all.push_back(
            {.name = fmt::format("batch_norm {} with given statistics", shape),
             .shapes = {shape, channels, channels},
             .op =
                 [](const Tensors& x) {
                     return batch_norm(x[0], ramp(x[0], -1, 0.25), ramp(x[0], 0.5, 0.5), x[1], x[2]);
                 },
             .formats = formats,
             .reference =
                 [](const Tensors& x) {
                     const Tensor m = per_channel(ramp(x[0], -1, 0.25), x[0]);
                     const Tensor v = per_channel(ramp(x[0], 0.5, 0.5), x[0]);
                     return (x[0] - m) / sqrt(v + 1e-5) * per_channel(x[1], x[0]) + per_channel(x[2], x[0]);
                 }});
    }
    return all;
}

const AddCases registered{batch_norm_cases()};

}  // namespace

TEST_CASE("batch_norm: PyTorch's values, gradients and running statistics", "[ops][batch_norm]") {
    for (const std::string name : {"batch_norm.nc", "batch_norm.nchw"}) {
        Tensor mean, var;
        check_golden(name, {"x", "weight", "bias"}, [&](const Tensors& x) {
            mean = golden(name + "/running_mean_before").to(x[0].dtype());
            var = golden(name + "/running_var_before").to(x[0].dtype());
            return batch_norm(x[0], mean, var, x[1], x[2], {.training = true, .momentum = 0.3});
        });
        CHECK(difference(mean, golden(name + "/running_mean"), 2e-6) == "");  // of the f32 run
        CHECK(difference(var, golden(name + "/running_var"), 2e-6) == "");
    }
    check_golden("batch_norm.eval", {"x", "weight", "bias"}, [](const Tensors& x) {
        return batch_norm(x[0], golden("batch_norm.eval/running_mean").to(x[0].dtype()),
                          golden("batch_norm.eval/running_var").to(x[0].dtype()), x[1], x[2]);
    });
}

TEST_CASE("batch_norm: a large mean does not drown a small variance", "[ops][batch_norm]") {
    const Tensor x = from_vector<float>({4096, 4096.5f, 4097, 4097.5f}, {4, 1});
    const auto y = batch_norm(x, {}, {}, {}, {}, {.training = true, .eps = 1e-12}).to_vector();
    const float r = 1 / std::sqrt(0.3125f);  // the variance of 0, 0.5, 1, 1.5
    CHECK(y[0] == Approx(-0.75f * r));
    CHECK(y[3] == Approx(0.75f * r));
}

TEST_CASE("batch_norm: only the gradients asked for, one number of threads or another", "[ops][batch_norm]") {
    const OpCase c{.name = "threads", .shapes = {{64, 700}, {700}, {700}}, .op = nullptr};
    Tensors first;
    for (const int threads : {1, 2}) {
        kernels::set_max_threads(threads);
        Tensors x = make_inputs(c, DType::f32);
        for (Tensor& t : x) t.set_requires_grad();
        const Tensor y = batch_norm(x[0], {}, {}, x[1], x[2], {.training = true});
        Tensors results = grad(sum(y * y * y), x);
        results.push_back(y);
        if (threads == 2)
            for (size_t i = 0; i < results.size(); ++i) CHECK(results[i].to_vector() == first[i].to_vector());
        first = results;
    }
    kernels::set_max_threads(0);
    Tensor bias = zeros({3}).set_requires_grad();
    sum(batch_norm(ones({4, 3}), {}, {}, {}, bias, {.training = true})).backward();
    CHECK(bias.grad().to_vector() == std::vector<float>{4, 4, 4});
}

TEST_CASE("batch_norm: errors", "[ops][batch_norm]") {
    const Tensor x = ones({4, 3}), v = ones({3});
    CHECK_THROWS_WITH(batch_norm(v, {}, {}, {}, {}), "[batch_norm] expected (N,C,…), got (3)");
    CHECK_THROWS_WITH(batch_norm(x, v, v, ones({4}), {}),
                      "[batch_norm] expected weight (3) for x (4,3), got (4)");
    CHECK_THROWS_WITH(batch_norm(x, v, v.to(DType::f64), {}, {}),
                      "[batch_norm] expected equal dtypes, got x f32 and running_var f64");
    CHECK_THROWS_WITH(batch_norm(x, {}, {}, {}, {}),
                      "[batch_norm] expected running statistics: not training");
    CHECK_THROWS_WITH(batch_norm(x, v, {}, {}, {}), "[batch_norm] expected both running statistics or none");
    CHECK_THROWS_WITH(batch_norm(ones({1, 3}), v, v, {}, {}, {.training = true}),
                      "[batch_norm] expected more than one value per channel when training, got (1,3)");
    CHECK_THROWS_WITH(batch_norm(x, v, v, {}, {}, {.eps = 0}), "[batch_norm] expected eps > 0, got 0");
}

}  // namespace lily::testing
