// SPDX-License-Identifier: MIT
#include "kernels/loss/loss.h"

#include "framework/tensor.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

constexpr kernels::LossScale kScale{.scale = 0.5, .count = 2};

void check_loss(Device device) {
    Queue &queue = default_queue(device), &cpu = default_queue(Device::cpu);
    const auto& f32 = kernels::loss<float>(device);
    const auto& f64 = kernels::loss<double>(Device::cpu);
    for (const int64_t n : {0, 1, 15, 16, 17, 1023, 40000}) {
        Buffer<float> x(n, 1, device), t(n, 2, device), y(1, 0, device), dy(1, 0, device), dx(n, 3, device),
            dt(n, 1, device), alone(n, 0, device);
        Buffer<double> x_64(n), t_64(n), y_64(1), dy_64(1), dx_64(n), dt_64(n);
        x.randomise(1), x_64.randomise(1), t.randomise(2), t_64.randomise(2), dy.randomise(3),
            dy_64.randomise(3);
        f32.squared_error(queue, n, kScale, x.on_device(), t.on_device(), y.on_device());
        f64.squared_error(cpu, n, kScale, x_64.data(), t_64.data(), y_64.data());
        f32.squared_error_backward(queue, n, kScale, x.on_device(), t.on_device(), dy.on_device(),
                                   dx.on_device(), dt.on_device());
        y.fetch(), dx.fetch(), dt.fetch();
        f64.squared_error_backward(cpu, n, kScale, x_64.data(), t_64.data(), dy_64.data(), dx_64.data(),
                                   dt_64.data());
        double want = 0;
        for (int64_t i = 0; i < n; ++i) want += 0.25 * (x_64[i] - t_64[i]) * (x_64[i] - t_64[i]);
        INFO(n);
        CHECK(y_64[0] == Approx(want));
        CHECK(y[0] == Approx(want));
        CHECK(worst_error(dx, dx_64, n) <= 1e-6);
        CHECK(worst_error(dt, dt_64, n) <= 1e-6);
        f32.squared_error_backward(queue, n, kScale, x.on_device(), t.on_device(), dy.on_device(), nullptr,
                                   alone.on_device());
        alone.fetch();
        CHECK(worst_error(alone, dt_64, n) <= 1e-6);
        CHECK((y.fences_stand() && dx.fences_stand() && dt.fences_stand() && alone.fences_stand()));
    }
}

void check_bce(Device device, bool constant) {
    Queue &queue = default_queue(device), &cpu = default_queue(Device::cpu);
    const auto& f32 = kernels::loss<float>(device);
    const auto& f64 = kernels::loss<double>(Device::cpu);
    for (const int64_t n : {0, 1, 17, 1023, 40000}) {
        Buffer<float> x(n, 1, device), t(n, 2, device), y(1, 0, device), each(n, 1, device), dy(n, 3, device),
            dx(n, 2, device), dt(n, 1, device);
        Buffer<double> x_64(n), t_64(n), y_64(1), each_64(n), dy_64(n), dx_64(n), dt_64(n);
        x.randomise(1), x_64.randomise(1), t.randomise(2), t_64.randomise(2), dy.randomise(3),
            dy_64.randomise(3);
        const kernels::Target<float> target{constant ? nullptr : t.on_device(), 0.875f};
        const kernels::Target<double> target_64{constant ? nullptr : t_64.data(), 0.875};
        f32.bce_with_logits(queue, n, 4, x.on_device(), target, y.on_device());
        f32.bce_with_logits_each(queue, n, x.on_device(), target, each.on_device());
        f32.bce_with_logits_backward(queue, n, 1, x.on_device(), target, dy.on_device(), 1, dx.on_device(),
                                     constant ? nullptr : dt.on_device());
        y.fetch(), each.fetch(), dx.fetch(), dt.fetch();
        f64.bce_with_logits(cpu, n, 4, x_64.data(), target_64, y_64.data());
        f64.bce_with_logits_each(cpu, n, x_64.data(), target_64, each_64.data());
        f64.bce_with_logits_backward(cpu, n, 1, x_64.data(), target_64, dy_64.data(), 1, dx_64.data(),
                                     constant ? nullptr : dt_64.data());
        double want = 0;
        for (int64_t i = 0; i < n; ++i) {
            const double goal = constant ? 0.875 : t_64[i], p = 1 / (1 + std::exp(-x_64[i]));
            want -= 0.25 * (goal * std::log(p) + (1 - goal) * std::log(1 - p));
        }
        INFO(name(device) << ", " << n << ", constant " << constant);
        CHECK(y_64[0] == Approx(want));
        CHECK(y[0] == Approx(want));
        CHECK(worst_error(each, each_64, n) <= 1e-6);
        CHECK(worst_error(dx, dx_64, n) <= 1e-6);
        if (!constant) CHECK(worst_error(dt, dt_64, n) <= 1e-6);
        CHECK((y.fences_stand() && each.fences_stand() && dx.fences_stand() && dt.fences_stand()));
    }
}

}  // namespace

TEST_CASE("bce_with_logits kernels: f32 as f64, targets or one for all", "[kernels][loss]") {
    for (const Device device : devices())
        for (const bool constant : {false, true}) check_bce(device, constant);
}

TEST_CASE("loss kernels: f32 as f64, either gradient alone", "[kernels][loss]") {
    for (const Device device : devices()) check_loss(device);
}

}  // namespace lily::testing
