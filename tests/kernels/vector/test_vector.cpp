// SPDX-License-Identifier: MIT
#include "kernels/vector/vector.h"

#include <cmath>

#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {

TEST_CASE("vector kernels: f32 as f64, on every device", "[kernels][vector]") {
    for (const Device device : devices())
        for (const int64_t n : {0, 1, 33, 5000, 20001}) {
            Queue &queue = default_queue(device), &cpu = default_queue(Device::cpu);
            const auto& f32 = kernels::vector<float>(device);
            const auto& f64 = kernels::vector<double>(Device::cpu);
            Buffer<float> x(n, 1, device), y(n, 3, device);
            Buffer<double> x_64(n), y_64(n);
            x.randomise(1), x_64.randomise(1), y.randomise(2), y_64.randomise(2);
            INFO(name(device) << ", n " << n);
            CHECK(f32.dot(queue, n, x.on_device(), y.on_device()) ==
                  Approx(f64.dot(cpu, n, x_64.data(), y_64.data())));
            CHECK(f32.abs_sum(queue, n, x.on_device()) == Approx(f64.abs_sum(cpu, n, x_64.data())));
            CHECK(f32.abs_max(queue, n, x.on_device()) == f64.abs_max(cpu, n, x_64.data()));
            f32.axpy(queue, n, 0.5, x.on_device(), y.on_device());
            f64.axpy(cpu, n, 0.5, x_64.data(), y_64.data());
            y.fetch();
            CHECK(worst_error(y, y_64, n) <= 1e-6);
            f32.lerp(queue, n, 0.25, x.on_device(), y.on_device());
            for (int64_t i = 0; i < n; ++i) y_64[i] = 0.75 * y_64[i] + 0.25 * x_64[i];
            y.fetch();
            CHECK(worst_error(y, y_64, n) <= 1e-6);
            CHECK(y.fences_stand());
            if (n < 33) continue;
            x[n - 1] = -INFINITY;
            CHECK(f32.abs_max(queue, n, x.on_device()) == INFINITY);
            x[20] = std::nanf("");
            CHECK(std::isnan(f32.abs_max(queue, n, x.on_device())));
        }
}

}  // namespace lily::testing
