// SPDX-License-Identifier: MIT
#include "kernels/dropout/dropout.h"

#include "framework/tensor.h"
#include "kernels/random/philox.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {

TEST_CASE("dropout kernels: an element's bits are a word of its Philox block, on every device",
          "[kernels][dropout]") {
    const kernels::RandomStream stream{0x123456789abcdefu, 0xfffffff0u,
                                       0xfedcba987654321u};  // the counter's low half overflows
    const double p = 0.4;
    for (const Device device : devices())
        for (const int64_t n : {0, 1, 3, 4, 63, 64, 65, 1000, 40001}) {
            Buffer<float> x(n, 1, device), y(n, 2, device);
            Buffer<double> x_64(n), y_64(n);
            x.randomise(1), x_64.randomise(1);
            kernels::dropout<float>(device).apply(default_queue(device), stream, p, n, x.on_device(),
                                                  y.on_device());
            y.fetch();
            kernels::dropout<double>(Device::cpu)
                .apply(default_queue(Device::cpu), stream, p, n, x_64.data(), y_64.data());
            int64_t wrong = 0;
            for (int64_t i = 0; i < n; ++i) {
                const uint64_t at = stream.counter + static_cast<uint64_t>(i / 4);
                const auto block = kernels::philox4x32(
                    {{static_cast<uint32_t>(at), static_cast<uint32_t>(at >> 32), 0x87654321u, 0xfedcba9u}},
                    {{static_cast<uint32_t>(stream.seed), static_cast<uint32_t>(stream.seed >> 32)}});
                const bool kept = block.word[i % 4] >= p * 4294967296.0;
                wrong += y[i] != (kept ? x[i] * static_cast<float>(1 / (1 - p)) : 0.0f);
                wrong += y_64[i] != (kept ? x_64[i] * (1 / (1 - p)) : 0.0);
            }
            INFO(name(device) << ", " << n);
            CHECK(wrong == 0);
            CHECK(y.fences_stand());
        }
}

}  // namespace lily::testing
