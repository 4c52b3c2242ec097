// SPDX-License-Identifier: MIT
#include "kernels/conv2d/conv2d.h"

#include "tests/catch.h"
#include "tests/kernels/buffer.h"
#include "tests/kernels/settings.h"

namespace lily::testing {
namespace {

// Contiguous maps and weights as they are: what the loops want, and GPUs too.
template <class T, class Run>
void run_plan(Device device, const kernels::Conv2dShape& s, kernels::Conv2dPass pass, const Run& run) {
    const auto& kernel = kernels::conv2d<T>(device);
    const std::shared_ptr<const kernels::Conv2dPlan> kept = kernel.plan(s, pass);
    const kernels::Conv2dPlan& plan = *kept;
    REQUIRE((plan.x_layout == 1 && plan.y_layout == 1 && plan.packed_bytes == 0));
    run(kernel, default_queue(device), plan);
}

void check_convolution(Device device, const kernels::Conv2dShape& s, int64_t shift) {
    using enum kernels::Conv2dPass;
    const int64_t in = s.n * s.c * s.h * s.w, out = s.n * s.k * s.out_h() * s.out_w();
    const int64_t weights = s.k * s.c / s.groups * s.r * s.s;
    Buffer<float> x(in, shift, device), w(weights, shift, device), b(s.k, shift, device),
        y(out, shift, device), dy(out, shift, device);
    Buffer<float> dx(in, shift, device), dw(weights, shift, device), db(s.k, shift, device);
    Buffer<double> x_64(in), w_64(weights), b_64(s.k), y_64(out), dy_64(out), dx_64(in), dw_64(weights),
        db_64(s.k);
    x.randomise(1), x_64.randomise(1), w.randomise(2), w_64.randomise(2), b.randomise(3), b_64.randomise(3);
    dy.randomise(4), dy_64.randomise(4);
    INFO(lily::name(device) << ", x " << s.n << "x" << s.c << "x" << s.h << "x" << s.w << ", k " << s.k
                            << ", " << s.r << "x" << s.s << ", groups " << s.groups);
    const auto compare = [](Buffer<float>& got, const Buffer<double>& want, int64_t n) {
        got.fetch();
        CHECK(worst_error(got, want, n) <= 2e-6);
        CHECK(got.fences_stand());
    };
    for (const auto pass : {forward, forward_relu}) {
        const bool bias = pass == forward_relu;
        run_plan<float>(device, s, pass, [&](const auto& kernel, Queue& queue, const auto& plan) {
            kernel.forward(queue, plan, x.on_device(), {w.on_device()}, bias ? b.on_device() : nullptr,
                           {y.on_device()});
        });
        run_plan<double>(Device::cpu, s, pass, [&](const auto& kernel, Queue& queue, const auto& plan) {
            kernel.forward(queue, plan, x_64.data(), {w_64.data()}, bias ? b_64.data() : nullptr,
                           {y_64.data()});
        });
        compare(y, y_64, out);
    }
    for (const auto pass : {backward_data, backward_data_relu}) {  // y is forward_relu's
        run_plan<float>(device, s, pass, [&](const auto& kernel, Queue& queue, const auto& plan) {
            kernel.backward_data(queue, plan, {dy.on_device(), y.on_device()}, {w.on_device()}, false,
                                 dx.on_device());
        });
        run_plan<double>(Device::cpu, s, pass, [&](const auto& kernel, Queue& queue, const auto& plan) {
            kernel.backward_data(queue, plan, {dy_64.data(), y_64.data()}, {w_64.data()}, false,
                                 dx_64.data());
        });
        compare(dx, dx_64, in);
    }
    for (const bool add : {false, true}) {  // dx +=
        Buffer<float> sum(in, shift, device);
        Buffer<double> sum_64(in);
        sum.randomise(5), sum_64.randomise(5);
        run_plan<float>(device, s, backward_data, [&](const auto& kernel, Queue& queue, const auto& plan) {
            REQUIRE(plan.can_add);
            kernel.backward_data(queue, plan, {dy.on_device()}, {w.on_device()}, add, sum.on_device());
        });
        run_plan<double>(
            Device::cpu, s, backward_data, [&](const auto& kernel, Queue& queue, const auto& plan) {
                kernel.backward_data(queue, plan, {dy_64.data()}, {w_64.data()}, false, dx_64.data());
            });
        for (int64_t i = 0; i < in; ++i) sum_64[i] = add ? sum_64[i] + dx_64[i] : dx_64[i];
        compare(sum, sum_64, in);
    }
    run_plan<float>(device, s, backward_weights, [&](const auto& kernel, Queue& queue, const auto& plan) {
        kernel.backward_weights(queue, plan, x.on_device(), dy.on_device(), dw.on_device());
        kernel.backward_bias(queue, s.n, s.k, s.out_h() * s.out_w(), 1, dy.on_device(), db.on_device());
    });
    run_plan<double>(
        Device::cpu, s, backward_weights, [&](const auto& kernel, Queue& queue, const auto& plan) {
            kernel.backward_weights(queue, plan, x_64.data(), dy_64.data(), dw_64.data());
            kernel.backward_bias(queue, s.n, s.k, s.out_h() * s.out_w(), 1, dy_64.data(), db_64.data());
        });
    compare(dw, dw_64, weights);
    compare(db, db_64, s.k);
}

// forward_relu_pool and its gradient against forward_relu, a pooling by hand, and the gradient of that.
void check_pooled(Device device, const kernels::Conv2dShape& s, int64_t shift) {
    using enum kernels::Conv2dPass;
    const int64_t rows = s.out_h() / 2, columns = s.out_w() / 2, maps = s.n * s.k;
    const int64_t in = s.n * s.c * s.h * s.w, map = maps * s.out_h() * s.out_w(), out = maps * rows * columns,
                  weights = s.k * s.c / s.groups * s.r * s.s;
    Buffer<float> x(in, shift, device), w(weights, shift, device), b(s.k, shift, device),
        y(out, shift, device), dy(out, shift, device), dx(in, shift, device);
    Buffer<uint8_t> index(out, 1, device);
    Buffer<double> x_64(in), w_64(weights), b_64(s.k), map_64(map), y_64(out), dy_64(out), dmap_64(map),
        dx_64(in);
    x.randomise(1), x_64.randomise(1), w.randomise(2), w_64.randomise(2), b.randomise(3), b_64.randomise(3);
    dy.randomise(4), dy_64.randomise(4);
    REQUIRE(kernels::conv2d<float>(device).fuses_pool(s));
    run_plan<float>(device, s, forward_relu_pool, [&](const auto& kernel, Queue& queue, const auto& plan) {
        kernel.forward(queue, plan, x.on_device(), {w.on_device()}, b.on_device(),
                       {y.on_device(), index.on_device()});
    });
    y.fetch(), index.fetch();
    run_plan<double>(Device::cpu, s, forward_relu, [&](const auto& kernel, Queue& queue, const auto& plan) {
        kernel.forward(queue, plan, x_64.data(), {w_64.data()}, b_64.data(), {map_64.data()});
    });
    std::fill(dmap_64.data(), dmap_64.data() + map, 0.0);
    int64_t wrong = 0;  // indices that do not name the largest
    for (int64_t at = 0; at < out; ++at) {
        const int64_t plane = at / (rows * columns), i = at / columns % rows, j = at % columns;
        const auto place = [&](int64_t corner) {
            return (plane * s.out_h() + 2 * i + corner / 2) * s.out_w() + 2 * j + corner % 2;
        };
        y_64[at] = 0;
        for (int64_t corner = 0; corner < 4; ++corner) y_64[at] = std::max(y_64[at], map_64[place(corner)]);
        REQUIRE(index[at] < 4);
        wrong += map_64[place(index[at])] != y_64[at];
        if (y_64[at] > 0) dmap_64[place(index[at])] += dy_64[at];
    }
    CHECK(wrong == 0);  // of these inputs, whose products and sums are exact in f32
    CHECK(worst_error(y, y_64, out) <= 2e-6);
    CHECK((y.fences_stand() && index.fences_stand()));
    run_plan<float>(device, s, backward_data_relu_pool,
                    [&](const auto& kernel, Queue& queue, const auto& plan) {
                        kernel.backward_data(queue, plan, {dy.on_device(), y.on_device(), index.on_device()},
                                             {w.on_device()}, false, dx.on_device());
                    });
    dx.fetch();
    run_plan<double>(Device::cpu, s, backward_data, [&](const auto& kernel, Queue& queue, const auto& plan) {
        kernel.backward_data(queue, plan, {dmap_64.data()}, {w_64.data()}, false, dx_64.data());
    });
    CHECK(worst_error(dx, dx_64, in) <= 2e-6);
    CHECK(dx.fences_stand());
}

}  // namespace

// (the CPU's f32 plans have layouts of their own: tests/framework/ops/test_conv2d.cpp)
TEST_CASE("conv2d kernels of the GPUs: f32 as f64, every option, at any alignment", "[kernels][conv2d]") {
    for (const Device device : devices())
        for (const auto engine : {kernels::Engine::own, kernels::Engine::library}) {
            if (device == Device::cpu) continue;
            const WithEngine with(engine);
            INFO(testing::name(engine));
            check_convolution(device, {1, 1, 1, 1, 1, 1, 1}, 1);
            check_convolution(device, {2, 3, 9, 8, 70, 3, 3, {1, 1}, {1, 1}}, 1);
            for (const int64_t shift : {1, 32}) {
                check_convolution(device, {1, 5, 10, 7, 4, 3, 2, {2, 3}, {1, 0}, {2, 1}}, shift);
                check_convolution(device, {3, 6, 5, 6, 9, 3, 3, {1, 2}, {2, 1}, {1, 1}, 3}, shift);
            }
            // two runs of positions
            check_convolution(device, {1, 2, 40, 40, 3, 3, 3, {1, 1}, {1, 1}}, 32);
        }
}

TEST_CASE("conv2d kernels of the GPUs: pooling as a part of the convolution", "[kernels][conv2d]") {
    for (const Device device : devices())
        for (const auto engine : {kernels::Engine::own, kernels::Engine::library}) {
            if (device == Device::cpu) continue;
            const WithEngine with(engine);
            INFO(lily::name(device) << ", " << testing::name(engine));
            check_pooled(device, {1, 1, 2, 2, 1, 1, 1}, 1);
            check_pooled(device, {2, 3, 9, 8, 70, 3, 3, {1, 1}, {1, 1}}, 32);
            check_pooled(device, {2, 6, 7, 11, 4, 3, 2, {1, 2}, {1, 0}, {1, 1}, 2}, 1);
            check_pooled(device, {2, 6, 7, 11, 4, 3, 2, {1, 2}, {1, 0}, {1, 1}, 2}, 32);
        }
}

TEST_CASE("conv2d on the GPUs: a library for large shapes, by rule or by measurement", "[kernels][conv2d]") {
    using enum kernels::Conv2dPass;
    const kernels::Conv2dShape small{1, 3, 8, 8, 4, 3, 3, {1, 1}, {1, 1}},
        large{1, 16, 16, 16, 16, 3, 3, {1, 1}, {1, 1}};
    for (const Device device : devices()) {
        if (device == Device::cpu) continue;
        const auto algorithm = [&](const kernels::Conv2dShape& s, kernels::Conv2dPass pass) {
            return kernels::conv2d<float>(device).plan(s, pass)->algorithm;
        };
        {
            const WithEngine with(kernels::Engine::rule);
            CHECK(algorithm(small, forward) == "implicit GEMM");
            for (const auto pass : {forward, forward_relu, backward_data, backward_weights})
                CHECK(algorithm(large, pass).starts_with("cuDNN "));
        }
        {
            const WithEngine with(kernels::Engine::own);
            CHECK(algorithm(large, forward) == "implicit GEMM");
        }
        const WithEngine with(kernels::Engine::measured);
        check_convolution(device, large, 32);
        check_pooled(device, large, 32);
    }
}

TEST_CASE("conv2d on the GPUs: what cuDNN refuses is told with its status", "[kernels][conv2d]") {
    const kernels::Conv2dShape s{1, 16, 16, 16, 16, 3, 3, {1, 1}, {1, 1}};
    for (const Device device : devices()) {
        if (device != Device::simt) continue;  // which sees that these addresses are the host's
        const WithEngine with(kernels::Engine::library);
        Buffer<float> host(16 * 16 * 16);
        CHECK_THROWS_WITH(run_plan<float>(device, s, kernels::Conv2dPass::forward,
                                          [&](const auto& kernel, Queue& queue, const auto& plan) {
                                              kernel.forward(queue, plan, host.data(), {host.data()}, nullptr,
                                                             {host.data()});
                                          }),
                          Catch::Matchers::StartsWith("[conv2d] CUDNN_STATUS_"));
    }
}

// cuDNN has TF32, also where bf16 is allowed; a bound as in tests/kernels/linear.
TEST_CASE("conv2d on the GPUs: TF32 where it is allowed", "[kernels][conv2d]") {
    const kernels::Conv2dShape s{1, 16, 12, 12, 16, 3, 3, {1, 1}, {1, 1}};
    const int64_t in = s.n * s.c * s.h * s.w, out = s.n * s.k * s.h * s.w, weights = s.k * s.c * 9;
    for (const Device device : devices()) {
        if (device == Device::cpu) continue;
        Buffer<float> x(in, 32, device), w(weights, 32, device);
        Buffer<double> x_64(in), w_64(weights), y_64(out), sizes(out);
        x.randomise(1), w.randomise(2);
        for (int64_t i = 0; i < in; ++i) x_64[i] = x[i] = x[i] * 0.7123f + 0.1234567f;
        for (int64_t i = 0; i < weights; ++i) w_64[i] = w[i] = w[i] * 0.7123f + 0.1234567f;
        const auto loops = [&](double* y) {
            run_plan<double>(Device::cpu, s, kernels::Conv2dPass::forward,
                             [&](const auto& kernel, Queue& queue, const auto& plan) {
                                 kernel.forward(queue, plan, x_64.data(), {w_64.data()}, nullptr, {y});
                             });
        };
        loops(y_64.data());
        for (int64_t i = 0; i < in; ++i) x_64[i] = std::fabs(x_64[i]);
        for (int64_t i = 0; i < weights; ++i) w_64[i] = std::fabs(w_64[i]);
        loops(sizes.data());
        for (const auto precision : {kernels::Precision::f32, kernels::Precision::tf32}) {
            const WithEngine with(kernels::Engine::library, precision);
            Buffer<float> y(out, 32, device);
            run_plan<float>(device, s, kernels::Conv2dPass::forward,
                            [&](const auto& kernel, Queue& queue, const auto& plan) {
                                kernel.forward(queue, plan, x.on_device(), {w.on_device()}, nullptr,
                                               {y.on_device()});
                            });
            y.fetch();
            double worst = 0;
            for (int64_t i = 0; i < out; ++i) {
                const double share = std::fabs(y[i] - y_64[i]) / (0x1p-10 * sizes[i]);
                if (!(share <= worst)) worst = share;
            }
            const bool exact = precision == kernels::Precision::f32;
            INFO(lily::name(device) << ", share of the bound " << worst);
            CHECK(worst <= (exact ? 0.002 : 1.01));
            CHECK((exact || worst >= 0.01));
        }
    }
}

TEST_CASE("conv2d: plans are kept up to a number, the last ones asked for", "[kernels][conv2d]") {
    for (const Device device : devices()) {
        INFO(lily::name(device));
        const auto plan = [&](int64_t width) {
            const kernels::Conv2dShape s{1, 1, 3, width, 1, 3, 3, {1, 1}, {1, 1}};
            return kernels::conv2d<float>(device).plan(s, kernels::Conv2dPass::forward);
        };
        const auto held = plan(5);
        const std::weak_ptr<const kernels::Conv2dPlan> often = plan(6), once = plan(7);
        for (size_t i = 0; i < kernels::kMostConv2dPlans; ++i) {
            plan(100 + static_cast<int64_t>(i));
            REQUIRE(plan(6) == often.lock());
        }
        CHECK(once.expired());
        CHECK(held->shape.w == 5);
        CHECK(plan(5) != held);  // it had to go, but lives with who holds it
    }
}

}  // namespace lily::testing
