// SPDX-License-Identifier: MIT
#include "kernels/softmax/softmax.h"

#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

void check_softmax(Device device, kernels::SoftmaxShape s, bool log) {
    const int64_t n = s.outer * s.n * s.inner;
    Queue &queue = default_queue(device), &cpu = default_queue(Device::cpu);
    const auto& f32 = kernels::softmax<float>(device);
    const auto& f64 = kernels::softmax<double>(Device::cpu);
    Buffer<float> x(n, 1, device), y(n, 2, device), dy(n, 3, device), dx(n, 1, device);
    Buffer<double> x_64(n), y_64(n), dy_64(n), dx_64(n);
    x.randomise(1), x_64.randomise(1), dy.randomise(2), dy_64.randomise(2);
    for (int64_t i = 0; i < n; ++i) x[i] = 4 * x[i] + 100, x_64[i] = 4 * x_64[i] + 100;  // exp(100) is no f32
    (log ? f32.log_softmax : f32.softmax)(queue, s, x.on_device(), y.on_device());
    (log ? f64.log_softmax : f64.softmax)(cpu, s, x_64.data(), y_64.data());
    y.fetch();
    (log ? f32.log_softmax_backward : f32.softmax_backward)(queue, s, y.on_device(), dy.on_device(),
                                                            dx.on_device());
    (log ? f64.log_softmax_backward : f64.softmax_backward)(cpu, s, y_64.data(), dy_64.data(), dx_64.data());
    dx.fetch();
    INFO(name(device) << ", " << s.outer << " x " << s.n << " x " << s.inner << ", log " << log);
    CHECK(worst_error(y, y_64, n) <= 2e-6);
    CHECK(worst_error(dx, dx_64, n) <= 2e-5);
    CHECK((y.fences_stand() && dx.fences_stand()));
}

}  // namespace

TEST_CASE("softmax kernels: f32 as f64, rows and columns", "[kernels][softmax]") {
    for (const Device device : devices())
        for (const kernels::SoftmaxShape s : {kernels::SoftmaxShape{1, 1, 1},
                                              {3, 10, 1},
                                              {2, 0, 3},
                                              {2, 129, 1},
                                              {3, 1023, 1},
                                              {2, 33, 5},
                                              {1, 7, 300}})
            for (const bool log : {false, true}) check_softmax(device, s, log);
}

}  // namespace lily::testing
