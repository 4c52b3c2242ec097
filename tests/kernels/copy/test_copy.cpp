// SPDX-License-Identifier: MIT
#include "kernels/copy/copy.h"

#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

// Each kernel against the CPU's, whose own test is that of the ops.
template <class T>
void check_copies(Device device) {
    constexpr int64_t kSize = 2 * 16 * 35;
    Queue &queue = default_queue(device), &cpu = default_queue(Device::cpu);
    Buffer<T> x(kSize, 1, device), y(kSize, 3, device), from(kSize), want(kSize);
    x.randomise(1), from.randomise(1);
    const auto compare = [&] {
        y.fetch();
        CHECK(std::equal(y.data(), y.data() + kSize, want.data()));
        CHECK(y.fences_stand());
    };
    for (const int64_t first : {int64_t{1}, int64_t{8}, kernels::kChannelsLast})
        for (const int64_t second : {int64_t{1}, int64_t{16}, kernels::kChannelsLast}) {
            const kernels::PlanesShape s{2, 16, 35};
            kernels::copy<T>(device).reorder(queue, s, first, second, x.on_device(), y.on_device());
            kernels::copy<T>(Device::cpu).reorder(cpu, s, first, second, from.data(), want.data());
            compare();
        }
    for (const kernels::StridedCopy& s :
         {kernels::StridedCopy{.rank = 1, .size = {kSize}, .from_stride = {1}, .to_stride = {1}},
          {.rank = 3, .size = {16, 2, 35}, .from_stride = {35, 560, 1}, .to_stride = {70, 35, 1}},
          {.rank = 2, .size = {35, 32}, .from_stride = {1, 35}, .to_stride = {32, 1}},
          {.rank = 4, .size = {2, 7, 5, 16}, .from_stride = {560, 5, 1, 35}, .to_stride = {560, 80, 16, 1}},
          {.rank = 4,
          .size = {4, 2, 10, 14},
          .from_stride = {140, 560, 1, 10},
          .to_stride = {280, 140, 14, 1}},
          {.rank = 2, .size = {32, 35}, .from_stride = {35, 0}, .to_stride = {35, 1}}}) {
        kernels::copy<T>(device).strided(queue, s, x.on_device(), y.on_device());
        kernels::copy<T>(Device::cpu).strided(cpu, s, from.data(), want.data());
        compare();
    }
    kernels::copy<T>(device).fill(queue, kSize, T(3), y.on_device());
    kernels::copy<T>(Device::cpu).fill(cpu, kSize, T(3), want.data());
    compare();
}

}  // namespace

TEST_CASE("copy kernels: every dtype, reordered, strided, filled", "[kernels][copy]") {
    for (const Device device : devices()) {
        INFO(name(device));
        check_copies<float>(device);
        check_copies<double>(device);
        check_copies<int64_t>(device);
        check_copies<uint8_t>(device);
    }
}

}  // namespace lily::testing
