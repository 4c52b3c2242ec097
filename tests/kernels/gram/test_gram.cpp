// SPDX-License-Identifier: MIT
#include "kernels/gram/gram.h"

#include "framework/tensor.h"
#include "kernels/common/gpu.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

// The f64 loops read any layout, so that both types are given the same memory.
void check_gram(Device device) {
    Queue& queue = default_queue(device);
    const auto& f32 = kernels::gram<float>(device);
    const auto& f64 = kernels::gram<double>(Device::cpu);
    for (const int64_t block : {1, 8, 16})
        for (const int64_t channels : {1, 7, 16, 17, 40, 48, 80, 144})
            for (const int64_t positions : {1, 7, 64, 67, 300, 5000}) {
                if (channels % block != 0 || channels * channels * positions > 1'000'000) continue;
                if (device != Device::cpu && block != 1) continue;  // blocked maps are the CPU's
                const kernels::GramShape s{
                    .n = 2, .channels = channels, .positions = positions, .block = block, .scale = 0.5};
                const int64_t map = 2 * channels * positions, matrix = 2 * channels * channels;
                Buffer<float> f(map, 1, device), g(matrix, 3, device), dg(matrix, 1, device),
                    df(map, 3, device);
                Buffer<double> f_64(map), g_64(matrix), dg_64(matrix), df_64(map);
                f.randomise(1), f_64.randomise(1), dg.randomise(2), dg_64.randomise(2);
                f32.forward(queue, s, f.on_device(), g.on_device());
                f64.forward(default_queue(Device::cpu), s, f_64.data(), g_64.data());
                f32.backward(queue, s, f.on_device(), dg.on_device(), df.on_device());
                g.fetch(), df.fetch();
                f64.backward(default_queue(Device::cpu), s, f_64.data(), dg_64.data(), df_64.data());
                INFO("block " << block << ", channels " << channels << ", positions " << positions);
                CHECK(worst_error(g, g_64, matrix) <= 2e-6);
                CHECK(worst_error(df, df_64, map) <= 2e-6);
                CHECK(g.fences_stand());
                CHECK(df.fences_stand());

                Buffer<float> target(matrix, 2, device), d(matrix, 1, device), y(1, 1, device),
                    dy(1, 2, device);
                Buffer<double> target_64(matrix), d_64(matrix), y_64(1), dy_64(1);
                target.randomise(3), target_64.randomise(3), dy[0] = 0.75f, dy_64[0] = 0.75;
                float* const d_there = d.on_device();
                f32.distance(queue, s, 0.1, f.on_device(), target.on_device(), d_there, y.on_device());
                f64.distance(default_queue(Device::cpu), s, 0.1, f_64.data(), target_64.data(), d_64.data(),
                             y_64.data());
                f32.distance_backward(queue, s, 0.1, f.on_device(), d_there, dy.on_device(), df.on_device());
                d.fetch(), y.fetch(), df.fetch();
                f64.distance_backward(default_queue(Device::cpu), s, 0.1, f_64.data(), d_64.data(),
                                      dy_64.data(), df_64.data());
                CHECK(worst_error(d, d_64, matrix) <= 2e-6);
                CHECK(worst_error(y, y_64, 1) <= 4e-6);
                CHECK(worst_error(df, df_64, map) <= 4e-6);
                CHECK((d.fences_stand() && y.fences_stand() && df.fences_stand()));
            }
}

}  // namespace

TEST_CASE("gram kernels: f32 as f64, inside their memory, at any alignment", "[kernels][gram]") {
    for (const Device device : devices()) check_gram(device);
}

TEST_CASE("gram kernels: a device without them is named", "[kernels][gram]") {
    if (!kernels::has_gpu(Device::cuda))
        CHECK_THROWS_WITH(kernels::gram<float>(Device::cuda), "[gram] has no CUDA implementation");
    if (kernels::has_gpu(Device::simt))
        CHECK_THROWS_WITH(kernels::gram<double>(Device::simt),
                          "[gram] has no SIMT implementation of this dtype: use f32");
}

}  // namespace lily::testing
