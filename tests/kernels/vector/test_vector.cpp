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
            const kernels::VectorPair<float> pair{n, x.on_device(), y.on_device()};
            f32.lerp(queue, 0.25, {&pair, 1});
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

TEST_CASE("vector kernels: many vectors at once, a few and more than a kernel's arguments hold",
          "[kernels][vector]") {
    for (const Device device : devices())
        for (const int count : {0, 1, 4, 5, 57, 70}) {  // every seventh is empty
            INFO(name(device) << ", " << count << " vectors");
            Queue& queue = default_queue(device);
            const auto& f32 = kernels::vector<float>(device);
            std::vector<Buffer<float>> x, y, z;
            std::vector<std::vector<float>> z_before;
            std::vector<kernels::VectorPair<float>> to_y, to_z;
            double squares = 0;
            for (int v = 0; v < count; ++v) {
                const int64_t n = v % 7 == 3 ? 0 : (v % 5 == 1 ? 4096 + 17 * v : 1 + v);
                x.emplace_back(n, v % 4, device);
                y.emplace_back(n, v % 3, device);  // NaN
                z.emplace_back(n, 1, device);
                x.back().randomise(static_cast<uint32_t>(v)),
                    z.back().randomise(static_cast<uint32_t>(v) + 9);
                z_before.emplace_back(z.back().data(), z.back().data() + n);
                for (int64_t i = 0; i < n; ++i)
                    squares += static_cast<double>(x.back()[i]) * static_cast<double>(x.back()[i]);
                to_y.push_back({n, x.back().on_device(), y.back().on_device()});
                to_z.push_back({n, to_y.back().x, z.back().on_device()});
            }
            CHECK(f32.squares(queue, to_y) == squares);  // multiples of 1/4096: exact
            f32.scale(queue, -0.5, to_y);
            f32.lerp(queue, 0.25, to_z);
            int64_t wrong = 0;
            for (size_t v = 0; v < x.size(); ++v) {
                y[v].fetch(), z[v].fetch();
                for (int64_t i = 0; i < to_y[v].n; ++i) {
                    const float before = z_before[v][static_cast<size_t>(i)];
                    wrong += y[v][i] != -0.5f * x[v][i];
                    wrong += z[v][i] != before + 0.25f * (x[v][i] - before);
                }
                wrong += !y[v].fences_stand() + !z[v].fences_stand();
            }
            CHECK(wrong == 0);
        }
}

}  // namespace lily::testing
