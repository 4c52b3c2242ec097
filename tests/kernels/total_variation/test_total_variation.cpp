// SPDX-License-Identifier: MIT
#include "kernels/total_variation/total_variation.h"

#include "framework/tensor.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

// Both passes pair by pair: |b - a|, which pulls b down and a up.
double by_definition(kernels::PictureShape s, double dy, Buffer<double>& x, Buffer<double>& dx) {
    double total = 0;
    const auto pair = [&](int64_t a, int64_t b) {
        const double d = x[b] - x[a];
        total += std::fabs(d);
        const double slope = dy * ((d > 0) - (d < 0));
        dx[b] += slope;
        dx[a] -= slope;
    };
    for (int64_t i = 0; i < s.planes * s.height * s.width; ++i) dx[i] = 0;
    for (int64_t p = 0; p < s.planes; ++p)
        for (int64_t h = 0; h < s.height; ++h)
            for (int64_t w = 0; w < s.width; ++w) {
                const int64_t at = (p * s.height + h) * s.width + w;
                if (h + 1 < s.height) pair(at, at + s.width);
                if (w + 1 < s.width) pair(at, at + 1);
            }
    return total;
}

void check_total_variation(Device device) {
    Queue &queue = default_queue(device), &cpu = default_queue(Device::cpu);
    for (const kernels::PictureShape s : {kernels::PictureShape{1, 1, 1},
                                          {3, 1, 17},
                                          {3, 17, 1},
                                          {2, 2, 2},
                                          {3, 37, 41},
                                          {1, 5, 9000},
                                          {1, 900, 33},
                                          {3, 0, 5},
                                          {3, 5, 0}}) {
        const int64_t n = s.planes * s.height * s.width;
        Buffer<float> x(n, 1, device), y(1, 0, device), dy(1, 0, device), dx(n, 3, device);
        Buffer<double> x_64(n), y_64(1), dy_64(1), dx_64(n), want(n);
        x.randomise(1), x_64.randomise(1), dy.randomise(2), dy_64.randomise(2);  // with equal neighbours, too
        Buffer<uint8_t> slopes(n, 3, device), slopes_64(n);
        const auto& kernel = kernels::total_variation<float>(device);
        const auto& kernel_64 = kernels::total_variation<double>(Device::cpu);
        kernel.forward(queue, s, x.on_device(), y.on_device(), nullptr);
        y.fetch();
        const float without = y[0];
        kernel.forward(queue, s, x.on_device(), y.on_device(), slopes.on_device());
        kernel_64.forward(cpu, s, x_64.data(), y_64.data(), slopes_64.data());
        slopes.fetch();
        kernel.backward(queue, n, slopes.on_device(), dy.on_device(), dx.on_device());
        y.fetch(), dx.fetch();
        kernel_64.backward(cpu, n, slopes_64.data(), dy_64.data(), dx_64.data());
        CHECK(y[0] == without);
        CHECK(slopes.fences_stand());
        const double total = by_definition(s, dy_64[0], x_64, want);
        INFO(s.planes << " x " << s.height << " x " << s.width);
        CHECK(y[0] == Approx(total));
        CHECK(y_64[0] == Approx(total));
        CHECK(worst_error(dx, want, n) <= 1e-6);
        CHECK(worst_error(dx_64, want, n) <= 1e-15);
        CHECK((y.fences_stand() && dx.fences_stand()));
    }
}

}  // namespace

TEST_CASE("total variation kernels: both passes as by the definition", "[kernels][total_variation]") {
    for (const Device device : devices()) check_total_variation(device);
}

}  // namespace lily::testing
