// SPDX-License-Identifier: MIT
#include "tools/gpu_resources/occupancy.h"

#include <cuda_occupancy.h>
#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace lily::tools {
namespace {

cudaOccDeviceProp limits_of(int capability) {
    const auto& known = multiprocessors();
    const auto found = std::find_if(known.begin(), known.end(),
                                    [&](const Multiprocessor& m) { return m.capability == capability; });
    if (found == known.end())
        throw std::runtime_error(fmt::format(
            "the limits of compute capability {}.{} are not in tools/gpu_resources/occupancy.cpp: "
            "add them from the CUDA programming guide",
            capability / 10, capability % 10));
    cudaOccDeviceProp limits;
    limits.computeMajor = capability / 10;
    limits.computeMinor = capability % 10;
    limits.maxThreadsPerBlock = 1024;
    limits.maxThreadsPerMultiprocessor = found->threads;
    limits.regsPerBlock = limits.regsPerMultiprocessor = 65536;
    limits.warpSize = 32;
    limits.sharedMemPerBlock = 48 << 10;
    limits.sharedMemPerMultiprocessor = size_t{found->shared_kb} << 10;
    limits.sharedMemPerBlockOptin = size_t{found->block_kb} << 10;
    limits.reservedSharedMemPerBlock = size_t{found->reserved_kb} << 10;
    limits.numSms = 1;
    return limits;
}

}  // namespace

const std::vector<Multiprocessor>& multiprocessors() {
    static const std::vector<Multiprocessor> table{
        {75, 1024, 16, 64, 64, 0},    {80, 2048, 32, 164, 163, 1},  {86, 1536, 16, 100, 99, 1},
        {87, 1536, 16, 164, 163, 1},  {89, 1536, 24, 100, 99, 1},   {90, 2048, 32, 228, 227, 1},
        {100, 2048, 32, 228, 227, 1}, {103, 2048, 32, 228, 227, 1}, {110, 1536, 24, 228, 227, 1},
        {120, 1536, 24, 100, 99, 1},  {121, 1536, 24, 100, 99, 1},
    };
    return table;
}

int occupancy_percent(const CompiledKernel& kernel) {
    const cudaOccDeviceProp limits = limits_of(kernel.capability);
    cudaOccFuncAttributes attributes;
    attributes.maxThreadsPerBlock = kernel.threads;
    attributes.numRegs = kernel.registers;
    attributes.sharedSizeBytes = kernel.shared;
    attributes.partitionedGCConfig = PARTITIONED_GC_OFF;
    attributes.shmemLimitConfig = FUNC_SHMEM_LIMIT_OPTIN;
    attributes.maxDynamicSharedSizeBytes = limits.sharedMemPerBlockOptin;
    attributes.numBlockBarriers = kernel.barriers;
    cudaOccDeviceState state;
    cudaOccResult result;
    const cudaOccError error =
        cudaOccMaxActiveBlocksPerMultiprocessor(&result, &limits, &attributes, &state, kernel.threads, 0);
    if (error != CUDA_OCC_SUCCESS)
        throw std::runtime_error(
            fmt::format("cuda_occupancy.h: error {} for {}", static_cast<int>(error), kernel.name));
    return 100 * result.activeBlocksPerMultiprocessor * kernel.threads / limits.maxThreadsPerMultiprocessor;
}

}  // namespace lily::tools
