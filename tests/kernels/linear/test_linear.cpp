// SPDX-License-Identifier: MIT
#include "kernels/linear/linear.h"

#include "framework/tensor.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {

TEST_CASE("linear kernels: f32 as f64, with and without bias", "[kernels][linear]") {
    Queue& queue = default_queue(Device::cpu);
    for (const kernels::LinearShape s :
         {kernels::LinearShape{1, 1, 1}, {5, 33, 7}, {200, 17, 150}, {3, 0, 4}})
        for (const bool with_bias : {false, true}) {
            Buffer<float> x(s.rows * s.in, 1), w(s.out * s.in, 2), b(s.out, 1), y(s.rows * s.out, 3);
            Buffer<double> x_64(s.rows * s.in), w_64(s.out * s.in), b_64(s.out), y_64(s.rows * s.out);
            x.randomise(1), x_64.randomise(1), w.randomise(2), w_64.randomise(2);
            b.randomise(3), b_64.randomise(3);
            kernels::linear<float>(Device::cpu)
                .forward(queue, s, x.data(), w.data(), with_bias ? b.data() : nullptr, y.data());
            kernels::linear<double>(Device::cpu)
                .forward(queue, s, x_64.data(), w_64.data(), with_bias ? b_64.data() : nullptr, y_64.data());
            INFO("rows " << s.rows << ", in " << s.in << ", out " << s.out << ", bias " << with_bias);
            CHECK(worst_error(y, y_64, s.rows * s.out) <= 1e-6);
            CHECK(y.fences_stand());
        }
}

}  // namespace lily::testing
