// SPDX-License-Identifier: MIT
#include "kernels/resample/resample.h"

#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {

// Every output is the mean of up to three inputs; one has none.
TEST_CASE("resample kernels: f32 as f64, rows and columns", "[kernels][resample]") {
    for (const Device device : devices())
        for (const kernels::ResampleShape s : {kernels::ResampleShape{1, 1, 1, 1},
                                               {3, 17, 40, 1},
                                               {2, 9, 5, 33},
                                               {17, 6, 9, 2},
                                               {8, 5, 3, 1}}) {
            Buffer<int64_t> start(s.m + 1, 0, device), index(3 * s.m, 0, device);
            Buffer<float> weight(3 * s.m, 1, device), x(s.outer * s.n * s.inner, 1, device);
            Buffer<float> y(s.outer * s.m * s.inner, 3, device);
            Buffer<double> weight_64(3 * s.m), x_64(s.outer * s.n * s.inner), y_64(s.outer * s.m * s.inner);
            x.randomise(1), x_64.randomise(1), weight.randomise(2), weight_64.randomise(2);
            for (int64_t i = 0; i < 3 * s.m; ++i) index[i] = i * 7 % s.n;
            for (int64_t j = 0, at = 0; j <= s.m; ++j) start[j] = at, at += j % 4;
            kernels::resample<float>(device).apply(default_queue(device), s, start.on_device(),
                                                   index.on_device(), weight.on_device(), x.on_device(),
                                                   y.on_device());
            kernels::resample<double>(Device::cpu)
                .apply(default_queue(Device::cpu), s, start.data(), index.data(), weight_64.data(),
                       x_64.data(), y_64.data());
            y.fetch();
            INFO(name(device) << ", " << s.outer << " x " << s.n << " to " << s.m << " x " << s.inner);
            CHECK(worst_error(y, y_64, s.outer * s.m * s.inner) <= 1e-6);
            CHECK(y.fences_stand());
        }
}

}  // namespace lily::testing
