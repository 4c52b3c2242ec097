// SPDX-License-Identifier: MIT
#include "kernels/linear/linear.h"

#include "framework/tensor.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

void check_linear(Device device) {
    Queue& queue = default_queue(device);
    for (const kernels::LinearShape s :
         {kernels::LinearShape{1, 1, 1}, {5, 33, 7}, {200, 17, 150}, {3, 0, 4}})
        for (const bool with_bias : {false, true}) {
            Buffer<float> x(s.rows * s.in, 1, device), w(s.out * s.in, 2, device), b(s.out, 1, device),
                y(s.rows * s.out, 3, device);
            Buffer<double> x_64(s.rows * s.in), w_64(s.out * s.in), b_64(s.out), y_64(s.rows * s.out);
            x.randomise(1), x_64.randomise(1), w.randomise(2), w_64.randomise(2);
            b.randomise(3), b_64.randomise(3);
            kernels::linear<float>(device).forward(queue, s, x.on_device(), w.on_device(),
                                                   with_bias ? b.on_device() : nullptr, y.on_device());
            y.fetch();
            kernels::linear<double>(Device::cpu)
                .forward(default_queue(Device::cpu), s, x_64.data(), w_64.data(),
                         with_bias ? b_64.data() : nullptr, y_64.data());
            INFO("rows " << s.rows << ", in " << s.in << ", out " << s.out << ", bias " << with_bias);
            CHECK(worst_error(y, y_64, s.rows * s.out) <= 1e-6);
            CHECK(y.fences_stand());
        }
}

}  // namespace

TEST_CASE("linear kernels: f32 as f64, with and without bias", "[kernels][linear]") {
    for (const Device device : devices()) check_linear(device);
}

}  // namespace lily::testing
