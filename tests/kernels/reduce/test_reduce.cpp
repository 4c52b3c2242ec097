// SPDX-License-Identifier: MIT
#include "kernels/reduce/reduce.h"

#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

void check_reduce(Device device, kernels::ReduceShape s, int64_t shift) {
    const int64_t in = s.outer * s.n * s.inner, out = s.outer * s.inner;
    Queue &queue = default_queue(device), &cpu = default_queue(Device::cpu);
    const auto& f32 = kernels::reduce<float>(device);
    const auto& f64 = kernels::reduce<double>(Device::cpu);
    Buffer<float> x(in, shift, device), y(out, 1, device), most(out, 2, device);
    Buffer<int64_t> index(out, 1, device), index_64(out);
    Buffer<double> x_64(in), y_64(out), most_64(out);
    x.randomise(1), x_64.randomise(1);  // 257 values: there are ties
    if (in > 5) x[in / 2] = std::nanf(""), x_64[in / 2] = std::nan("");
    INFO(name(device) << ", " << s.outer << " x " << s.n << " x " << s.inner << ", shift " << shift);
    if (s.n > 0) {
        f32.max(queue, s, x.on_device(), most.on_device());
        f32.argmax(queue, s, x.on_device(), index.on_device());
        f64.max(cpu, s, x_64.data(), most_64.data());
        f64.argmax(cpu, s, x_64.data(), index_64.data());
        most.fetch(), index.fetch();
        for (int64_t i = 0; i < out; ++i) {
            CHECK(index[i] == index_64[i]);
            CHECK((most[i] == most_64[i] || (most[i] != most[i] && most_64[i] != most_64[i])));
        }
    }
    x.randomise(1), x_64.randomise(1);
    f32.sum(queue, s, x.on_device(), y.on_device());
    f64.sum(cpu, s, x_64.data(), y_64.data());
    y.fetch();
    CHECK(worst_error(y, y_64, out) <= 1e-6);
    CHECK((y.fences_stand() && most.fences_stand() && index.fences_stand()));
}

}  // namespace

TEST_CASE("reduce kernels: f32 as f64, rows and columns, short and long", "[kernels][reduce]") {
    for (const Device device : devices())
        for (const kernels::ReduceShape s : {kernels::ReduceShape{1, 1, 1},
                                             {3, 0, 1},
                                             {2, 0, 5},
                                             {0, 4, 1},
                                             {7, 33, 1},
                                             {2, 1025, 1},
                                             {1, 20001, 1},
                                             {2, 33, 3},
                                             {3, 5, 70},
                                             {1, 2500, 33}})
            for (const int64_t shift : {0, 1}) check_reduce(device, s, shift);
}

}  // namespace lily::testing
