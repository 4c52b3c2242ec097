// SPDX-License-Identifier: MIT
#include "kernels/random/random.h"

#include <cstring>

#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

// make(table, queue, y): the same bits on the device as on the CPU.
template <class T, class Make>
void check_bits(Device device, int64_t n, const Make& make) {
    Buffer<T> got(n, 1, device), want(n);
    make(device, got.on_device());
    make(Device::cpu, want.data());
    got.fetch();
    INFO(name(device) << ", n " << n);
    CHECK(std::memcmp(got.data(), want.data(), static_cast<size_t>(n) * sizeof(T)) == 0);
    CHECK(got.fences_stand());
}

}  // namespace

TEST_CASE("random kernels: every device gives the same bits", "[kernels][random]") {
    const kernels::RandomStream s{
        .seed = 0x123456789abcdef, .counter = (uint64_t{1} << 32) - 3, .stream = 0xfedcba987654321};
    for (const Device device : devices())
        for (const int64_t n : {0, 1, 2, 33, 5001}) {
            check_bits<float>(device, n, [&](Device d, float* y) {
                kernels::random<float>(d).uniform(default_queue(d), s, n, y);
            });
            check_bits<float>(device, n, [&](Device d, float* y) {
                kernels::random<float>(d).normal(default_queue(d), s, n, y);
            });
            check_bits<uint64_t>(device, n, [&](Device d, uint64_t* y) {
                kernels::random_integers(d).words(default_queue(d), s, n, y);
            });
            check_bits<int64_t>(device, n, [&](Device d, int64_t* y) {
                kernels::random_integers(d).integers(default_queue(d), s, n, -7, 1000, y);
            });
        }
}

}  // namespace lily::testing
