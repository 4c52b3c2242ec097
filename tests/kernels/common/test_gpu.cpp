// SPDX-License-Identifier: MIT
// Memory, copies and waiting on the GPUs of this build, below the framework's allocator.
#include "kernels/common/gpu.h"

#include <vector>

#include "tests/catch.h"

namespace lily::testing {

using namespace kernels;

TEST_CASE("gpu: memory is filled, copied both ways and given back", "[gpu][simt]") {
    for (const Device device : {Device::simt, Device::cuda}) {
        if (!has_gpu(device) || !gpu(device).problem().empty()) continue;
        const GpuRuntime& runtime = gpu(device);
        void* const stream = runtime.make_stream();
        const size_t bytes = 1000;
        void* const first = runtime.allocate(stream, bytes);
        void* const second = runtime.allocate(stream, bytes);
        REQUIRE((first && second));
        std::vector<unsigned char> host(bytes, 7);
        runtime.copy(stream, CopyKind::to_gpu, first, host.data(), bytes);
        runtime.fill_bytes(stream, first, 0x5a, 600);
        runtime.copy(stream, CopyKind::on_gpu, second, first, bytes);
        runtime.copy(stream, CopyKind::to_host, host.data(), second, bytes);
        for (size_t i = 0; i < bytes; ++i) REQUIRE(host[i] == (i < 600 ? 0x5a : 7));
        const GpuMemory memory = runtime.memory();
        CHECK(memory.free_bytes > 0);
        CHECK(memory.free_bytes <= memory.total_bytes);
        CHECK(runtime.allocate(stream, size_t{1} << 50) == nullptr);  // says no, and all goes on
        runtime.release(stream, first);
        runtime.release(stream, second);
        runtime.wait(stream);
    }
}

}  // namespace lily::testing
