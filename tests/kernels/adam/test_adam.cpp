// SPDX-License-Identifier: MIT
#include "kernels/adam/adam.h"

#include <deque>

#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

// `count` parameters of different sizes, steps and alignments, all at once.
void check_adam(Device device, int count, const kernels::AdamSettings& settings) {
    std::deque<Buffer<float>> f32;
    std::deque<Buffer<double>> f64;
    std::vector<kernels::AdamParameter<float>> list;
    std::vector<kernels::AdamParameter<double>> list_64;
    std::vector<int64_t> sizes;
    for (int i = 0; i < count; ++i) {
        const int64_t n = i == 0 ? 9001 : i * 37 % 200;
        sizes.push_back(n);
        for (uint32_t k = 0; k < 4; ++k) {
            f32.emplace_back(n, i % 2 * k, device).randomise(k);
            f64.emplace_back(n).randomise(k);
        }
        for (int64_t at = 0; at < n; ++at) {  // v >= 0
            f32[f32.size() - 2][at] = std::fabs(f32[f32.size() - 2][at]);
            f64[f64.size() - 2][at] = std::fabs(f64[f64.size() - 2][at]);
        }
        const auto at = [&](auto& buffers, size_t k) { return buffers[buffers.size() - 4 + k].on_device(); };
        list.push_back({n, 1 + i, at(f32, 0), at(f32, 1), at(f32, 2), at(f32, 3)});
        list_64.push_back({n, 1 + i, at(f64, 0), at(f64, 1), at(f64, 2), at(f64, 3)});
    }
    kernels::adam<float>(device).update(default_queue(device), settings, list);
    kernels::adam<double>(Device::cpu).update(default_queue(Device::cpu), settings, list_64);
    for (size_t k = 0; k < f32.size(); ++k) {
        f32[k].fetch();
        INFO(name(device) << ", parameter " << k / 4 << " of " << count << ", array " << k % 4);
        CHECK(worst_error(f32[k], f64[k], sizes[k / 4]) <= 2e-6);
        CHECK(f32[k].fences_stand());
    }
}

}  // namespace

TEST_CASE("Adam kernels: f32 as f64, few parameters and many", "[kernels][adam]") {
    for (const Device device : devices())
        for (const int count : {0, 1, 3, 130}) {
            check_adam(device, count, {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.999, .eps = 1e-8});
            check_adam(device, count, {0.01, 0.5, 0.9, 1e-6, 0.1, false});
            check_adam(device, count, {0.01, 0.5, 0.9, 1e-6, 0.1, true});
        }
}

TEST_CASE("Adam kernels: without weight decay the gradient alone counts, even at infinity",
          "[kernels][adam]") {
    for (const Device device : devices())
        for (const bool decoupled : {false, true}) {
            Buffer<float> p(2, 0, device), m(2, 0, device), v(2, 0, device), g(2, 0, device);
            p[0] = INFINITY, p[1] = -INFINITY;
            m[0] = m[1] = v[0] = v[1] = 0, g[0] = g[1] = 1;
            const std::vector<kernels::AdamParameter<float>> list{
                {2, 1, p.on_device(), m.on_device(), v.on_device(), g.on_device()}};
            kernels::adam<float>(device).update(default_queue(device), {0.01, 0.5, 0.5, 1e-8, 0, decoupled},
                                                list);
            p.fetch(), m.fetch(), v.fetch();
            INFO(name(device));
            CHECK((p[0] == INFINITY && p[1] == -INFINITY));
            CHECK((m[0] == 0.5f && m[1] == 0.5f && v[0] == 0.5f && v[1] == 0.5f));
        }
}

}  // namespace lily::testing
