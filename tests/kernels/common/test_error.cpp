// SPDX-License-Identifier: MIT
// Whatever goes wrong in a kernel is a lily::Error, as everything else that goes wrong in the library.
#include "kernels/common/error.h"

#include "kernels/common/gpu.h"
#include "kernels/common/gpu_info.h"
#include "kernels/embedding/embedding.h"
#include "kernels/gram/gram.h"
#include "kernels/matmul/matmul.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"
#include "tests/kernels/settings.h"

namespace lily::testing {

using kernels::Engine;

TEST_CASE("errors: a device that the build has not, an op that the device has not", "[kernels][error]") {
    for (const Device device : {Device::simt, Device::cuda}) {
        if (kernels::has_gpu(device)) {
            CHECK_THROWS_AS(kernels::gram<double>(device), Error);
            continue;
        }
        CHECK_THROWS_AS(kernels::gram<float>(device), Error);
        CHECK_THROWS_AS(kernels::gpu(device), Error);
        CHECK_THROWS_AS(kernels::gpu_info(device), Error);
        CHECK_THROWS_AS(kernels::gpu_libraries(device), Error);
    }
}

TEST_CASE("errors: what a room, the runtime and the libraries of a GPU refuse", "[kernels][error][simt]") {
    for (const Device device : devices()) {
        if (device != Device::simt) continue;  // a GPU does not always notice
        Queue& queue = default_queue(device);
        const auto& embedding = kernels::embedding<float>(device);
        CHECK_THROWS_AS(embedding.backward(queue, {int64_t{1} << 61, 1, 300}, nullptr, nullptr, nullptr),
                        Error);
        const kernels::GramShape blocked{.n = 1, .channels = 16, .positions = 4, .block = 16};
        CHECK_THROWS_AS(kernels::gram<float>(device).forward(queue, blocked, nullptr, nullptr), Error);
        CHECK_THROWS_AS(kernels::gpu(device).end_capture(queue.stream()), Error);  // nothing has begun
        const WithEngine with(Engine::library);
        Buffer<float> host(64 * 64);
        CHECK_THROWS_AS(kernels::matmul<float>(device).product(queue, kernels::matmul_shape(64, 64, 64),
                                                               host.data(), host.data(), 0.0f, host.data()),
                        Error);
    }
}

}  // namespace lily::testing
