// SPDX-License-Identifier: MIT
// The table of multiprocessors against cuda_occupancy.h, which has some of the same numbers in another form.
#include <cuda_occupancy.h>

#include "tests/catch.h"
#include "tools/gpu_resources/occupancy.h"

namespace lily::testing {
namespace {

using tools::CompiledKernel;
using tools::Multiprocessor;

cudaOccDeviceProp properties_of(int capability) {
    cudaOccDeviceProp properties;
    properties.computeMajor = capability / 10;
    properties.computeMinor = capability % 10;
    return properties;
}

int percent(int capability, int threads, int registers, size_t shared = 0) {
    CompiledKernel kernel{};
    kernel.name = "a kernel";
    kernel.capability = capability;
    kernel.threads = threads;
    kernel.registers = registers;
    kernel.shared = shared;
    return tools::occupancy_percent(kernel);
}

// Those of the table that this toolkit's cuda_occupancy.h knows: an older one has no 11.0.
std::vector<Multiprocessor> known() {
    std::vector<Multiprocessor> result;
    for (const Multiprocessor& m : tools::multiprocessors()) {
        const cudaOccDeviceProp properties = properties_of(m.capability);
        size_t shared = 0;
        if (cudaOccAlignUpShmemSizeVoltaPlus(&shared, &properties) == CUDA_OCC_SUCCESS) result.push_back(m);
    }
    REQUIRE(result.size() >= 6);
    return result;
}

}  // namespace

TEST_CASE("occupancy: blocks and shared memory are those of cuda_occupancy.h", "[occupancy]") {
    for (const Multiprocessor& m : known()) {
        INFO(m.capability);
        const cudaOccDeviceProp properties = properties_of(m.capability);
        int blocks = 0;
        REQUIRE(cudaOccMaxBlocksPerMultiprocessor(&blocks, &properties) == CUDA_OCC_SUCCESS);
        CHECK(m.blocks == blocks);
        size_t most = size_t{m.shared_kb} << 10, more = most + 1;
        CHECK(cudaOccAlignUpShmemSizeVoltaPlus(&most, &properties) == CUDA_OCC_SUCCESS);
        CHECK(most == size_t{m.shared_kb} << 10);
        CHECK(cudaOccAlignUpShmemSizeVoltaPlus(&more, &properties) == CUDA_OCC_ERROR_INVALID_INPUT);
        CHECK(m.block_kb + m.reserved_kb == m.shared_kb);
    }
}

TEST_CASE("occupancy: what bounds a kernel, counted by hand", "[occupancy]") {
    for (const Multiprocessor& m : known()) {
        INFO(m.capability);
        CHECK(percent(m.capability, 128, 16) == 100);
        CHECK(percent(m.capability, 32, 16) == 100 * 32 * m.blocks / m.threads);  // blocks
        CHECK(percent(m.capability, 256, 64) == 100 * 65536 / 64 / m.threads);    // registers
        const int fit = static_cast<int>(m.shared_kb / (20 + m.reserved_kb));     // shared memory
        CHECK(percent(m.capability, 64, 16, 20 << 10) == 100 * 64 * fit / m.threads);
    }
    CHECK(percent(75, 256, 64) == 100);           // 4 blocks of 8 warps, of 32
    CHECK(percent(87, 256, 64) == 66);            // of 48
    CHECK(percent(90, 256, 64) == 50);            // of 64
    CHECK(percent(86, 128, 16, 40 << 10) == 16);  // 2 blocks of 41 KB, in 100
    CHECK(percent(87, 128, 16, 40 << 10) == 33);  // 4, in 164
}

TEST_CASE("occupancy: a GPU that the table does not have is an error", "[occupancy]") {
    CHECK_THROWS_WITH(percent(88, 128, 16),
                      Catch::Matchers::StartsWith("the limits of compute capability 8.8"));
}

}  // namespace lily::testing
