// SPDX-License-Identifier: MIT
#include "kernels/loss/loss.h"

#include "framework/tensor.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

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
        f32.squared_error(queue, n, 0.25, x.on_device(), t.on_device(), y.on_device());
        f64.squared_error(cpu, n, 0.25, x_64.data(), t_64.data(), y_64.data());
        f32.squared_error_backward(queue, n, 0.25, x.on_device(), t.on_device(), dy.on_device(),
                                   dx.on_device(), dt.on_device());
        y.fetch(), dx.fetch(), dt.fetch();
        f64.squared_error_backward(cpu, n, 0.25, x_64.data(), t_64.data(), dy_64.data(), dx_64.data(),
                                   dt_64.data());
        double want = 0;
        for (int64_t i = 0; i < n; ++i) want += 0.25 * (x_64[i] - t_64[i]) * (x_64[i] - t_64[i]);
        INFO(n);
        CHECK(y_64[0] == Approx(want));
        CHECK(y[0] == Approx(want));
        CHECK(worst_error(dx, dx_64, n) <= 1e-6);
        CHECK(worst_error(dt, dt_64, n) <= 1e-6);
        f32.squared_error_backward(queue, n, 0.25, x.on_device(), t.on_device(), dy.on_device(), nullptr,
                                   alone.on_device());
        alone.fetch();
        CHECK(worst_error(alone, dt_64, n) <= 1e-6);
        CHECK((y.fences_stand() && dx.fences_stand() && dt.fences_stand() && alone.fences_stand()));
    }
}

}  // namespace

TEST_CASE("loss kernels: f32 as f64, either gradient alone", "[kernels][loss]") {
    for (const Device device : devices()) check_loss(device);
}

}  // namespace lily::testing
