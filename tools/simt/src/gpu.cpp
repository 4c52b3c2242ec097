// SPDX-License-Identifier: MIT
// The GPUs that can be chosen, with the limits of NVIDIA's tables (CUDA programming guide, "Compute
// Capabilities").
#include "gpu.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string_view>

#include "api.h"
#include "arena.h"

namespace simt {
namespace {

struct Profile {
    const char* short_name;
    const char* name;
    int major, minor, processors, threads, blocks;  // the last two per multiprocessor
    int shared_kb;                                  // per multiprocessor; a block gets 1 KB less
    int l2_mb, bus_bits, memory_gb;
};

constexpr Profile kProfiles[] = {
    {"A100", "NVIDIA A100-SXM4-80GB", 8, 0, 108, 2048, 32, 164, 40, 5120, 80},
    {"H100", "NVIDIA H100 80GB HBM3", 9, 0, 132, 2048, 32, 228, 50, 5120, 80},
    {"RTX4090", "NVIDIA GeForce RTX 4090", 8, 9, 128, 1536, 24, 100, 72, 384, 24},
    {"B200", "NVIDIA B200", 10, 0, 148, 2048, 32, 228, 126, 8192, 180},
};

// As much as the profile has, but no more than half of this machine's; LILY_SIMT_MEMORY says it in MiB.
size_t memory_bytes(const Profile& profile) {
    if (const char* asked = std::getenv("LILY_SIMT_MEMORY"); asked != nullptr)
        return std::strtoull(asked, nullptr, 10) << 20;
    const size_t machine =
        static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGE_SIZE));
    return std::min(static_cast<size_t>(profile.memory_gb) << 30, machine / 2);
}

cudaDeviceProp make(const Profile& profile) {
    cudaDeviceProp p{};
    std::strncpy(p.name, profile.name, sizeof(p.name) - 1);
    p.totalGlobalMem = memory_bytes(profile);
    p.sharedMemPerBlock = 48 << 10;
    p.regsPerBlock = p.regsPerMultiprocessor = 65536;
    p.warpSize = 32;
    p.memPitch = 2147483647;
    p.maxThreadsPerBlock = 1024;
    p.maxThreadsDim[0] = p.maxThreadsDim[1] = 1024;
    p.maxThreadsDim[2] = 64;
    p.maxGridSize[0] = 2147483647;
    p.maxGridSize[1] = p.maxGridSize[2] = 65535;
    p.totalConstMem = 64 << 10;
    p.major = profile.major;
    p.minor = profile.minor;
    p.multiProcessorCount = profile.processors;
    p.canMapHostMemory = p.concurrentKernels = p.unifiedAddressing = 1;
    p.asyncEngineCount = 2;
    p.memoryBusWidth = profile.bus_bits;
    p.l2CacheSize = profile.l2_mb << 20;
    p.maxThreadsPerMultiProcessor = profile.threads;
    p.streamPrioritiesSupported = 1;
    p.sharedMemPerMultiprocessor = static_cast<size_t>(profile.shared_kb) << 10;
    p.sharedMemPerBlockOptin = static_cast<size_t>(profile.shared_kb - 1) << 10;
    p.maxBlocksPerMultiProcessor = profile.blocks;
    p.reservedSharedMemPerBlock = 1 << 10;
    p.memoryPoolsSupported = 1;
    return p;
}

const Profile* find(const std::string& name) {
    for (const Profile& profile : kProfiles)
        if (name == profile.short_name) return &profile;
    return nullptr;
}

std::string unknown(const std::string& name) {
    return "the software GPU knows A100, H100, RTX4090 and B200, but no " + name;
}

std::string name_of_environment() {
    const char* asked = std::getenv("LILY_SIMT_GPU");
    return asked == nullptr ? "H100" : asked;
}

cudaDeviceProp& current() {
    static cudaDeviceProp chosen = [] {
        const cudaDeviceProp found = make(has_device() ? *find(name_of_environment()) : kProfiles[1]);
        Arena::instance().set_capacity(found.totalGlobalMem);
        return found;
    }();
    return chosen;
}

}  // namespace

bool has_device() {
    static const bool known = [] {
        const std::string name = name_of_environment();
        const bool found = find(name) != nullptr;
        if (!found) std::fprintf(stderr, "simt: LILY_SIMT_GPU: %s\n", unknown(name).c_str());
        return found;
    }();
    return known;
}

bool does_work() {
    static const bool on = [] {
        const char* asked = std::getenv("LILY_SIMT_RUN");
        return asked == nullptr || std::string_view(asked) != "off";
    }();
    return on;
}

const cudaDeviceProp& device_properties() { return current(); }

void choose_gpu(const std::string& name) {
    const Profile* const profile = find(name);
    if (profile == nullptr) throw std::invalid_argument(unknown(name));
    const std::lock_guard lock(api_mutex());
    current() = make(*profile);
    Arena::instance().set_capacity(current().totalGlobalMem);
}

}  // namespace simt

inline namespace simt_cuda {

using simt::Call;
using simt::device_properties;

namespace {

cudaError_t check_device(int device) { return device == 0 ? cudaSuccess : cudaErrorInvalidDevice; }

}  // namespace

cudaError_t cudaGetDeviceCount(int* count) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        *count = simt::has_device() ? 1 : 0;
        return *count > 0 ? cudaSuccess : cudaErrorNoDevice;
    });
}

cudaError_t cudaGetDevice(int* device) {
    const Call call(__func__, __builtin_return_address(0));
    *device = 0;
    return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] { return check_device(device); });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* prop, int device) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        *prop = device_properties();
        return check_device(device);
    });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attr, int device) {
    const Call call(__func__, __builtin_return_address(0));
    const cudaDeviceProp& p = device_properties();
    const auto answer = [&]() -> size_t {
        switch (attr) {
            case cudaDevAttrMaxThreadsPerBlock:
                return static_cast<size_t>(p.maxThreadsPerBlock);
            case cudaDevAttrMaxBlockDimX:
            case cudaDevAttrMaxBlockDimY:
            case cudaDevAttrMaxBlockDimZ:
                return static_cast<size_t>(p.maxThreadsDim[attr - cudaDevAttrMaxBlockDimX]);
            case cudaDevAttrMaxGridDimX:
            case cudaDevAttrMaxGridDimY:
            case cudaDevAttrMaxGridDimZ:
                return static_cast<size_t>(p.maxGridSize[attr - cudaDevAttrMaxGridDimX]);
            case cudaDevAttrMaxSharedMemoryPerBlock:
                return p.sharedMemPerBlock;
            case cudaDevAttrTotalConstantMemory:
                return p.totalConstMem;
            case cudaDevAttrWarpSize:
                return 32;
            case cudaDevAttrMaxRegistersPerBlock:
            case cudaDevAttrMaxRegistersPerMultiprocessor:
                return 65536;
            case cudaDevAttrClockRate:
                return 1755000;
            case cudaDevAttrMultiProcessorCount:
                return static_cast<size_t>(p.multiProcessorCount);
            case cudaDevAttrIntegrated:
            case cudaDevAttrComputeMode:
            case cudaDevAttrManagedMemory:
            case cudaDevAttrPageableMemoryAccess:
            case cudaDevAttrCooperativeLaunch:
            case cudaDevAttrClusterLaunch:
                return 0;
            case cudaDevAttrCanMapHostMemory:
            case cudaDevAttrConcurrentKernels:
            case cudaDevAttrUnifiedAddressing:
            case cudaDevAttrStreamPrioritiesSupported:
            case cudaDevAttrMemoryPoolsSupported:
                return 1;
            case cudaDevAttrMemoryClockRate:
                return 2619000;
            case cudaDevAttrGlobalMemoryBusWidth:
                return static_cast<size_t>(p.memoryBusWidth);
            case cudaDevAttrL2CacheSize:
                return static_cast<size_t>(p.l2CacheSize);
            case cudaDevAttrMaxThreadsPerMultiProcessor:
                return static_cast<size_t>(p.maxThreadsPerMultiProcessor);
            case cudaDevAttrAsyncEngineCount:
                return 2;
            case cudaDevAttrComputeCapabilityMajor:
                return static_cast<size_t>(p.major);
            case cudaDevAttrComputeCapabilityMinor:
                return static_cast<size_t>(p.minor);
            case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
                return p.sharedMemPerMultiprocessor;
            case cudaDevAttrMaxSharedMemoryPerBlockOptin:
                return p.sharedMemPerBlockOptin;
            case cudaDevAttrMaxBlocksPerMultiprocessor:
                return static_cast<size_t>(p.maxBlocksPerMultiProcessor);
            case cudaDevAttrReservedSharedMemoryPerBlock:
                return p.reservedSharedMemPerBlock;
        }
        return SIZE_MAX;
    }();
    return call([&] {
        if (value == nullptr || answer == SIZE_MAX) return cudaErrorInvalidValue;
        *value = static_cast<int>(answer);
        return check_device(device);
    });
}

cudaError_t cudaDriverGetVersion(int* driverVersion) {
    const Call call(__func__, __builtin_return_address(0));
    *driverVersion = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* runtimeVersion) {
    const Call call(__func__, __builtin_return_address(0));
    *runtimeVersion = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetStreamPriorityRange(int* leastPriority, int* greatestPriority) {
    const Call call(__func__, __builtin_return_address(0));
    if (leastPriority != nullptr) *leastPriority = 0;
    if (greatestPriority != nullptr) *greatestPriority = -5;
    return cudaSuccess;
}

// There is one pool, and it keeps nothing back.
cudaError_t cudaDeviceGetDefaultMemPool(cudaMemPool_t* memPool, int device) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        *memPool = reinterpret_cast<cudaMemPool_t>(&simt::Arena::instance());
        return check_device(device);
    });
}

cudaError_t cudaMemPoolSetAttribute(cudaMemPool_t, cudaMemPoolAttr, void* value) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] { return value == nullptr ? cudaErrorInvalidValue : cudaSuccess; });
}

cudaError_t cudaMemPoolGetAttribute(cudaMemPool_t, cudaMemPoolAttr attr, void* value) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        if (value == nullptr) return cudaErrorInvalidValue;
        const bool bytes = attr != cudaMemPoolAttrReleaseThreshold;
        *static_cast<uint64_t*>(value) = bytes ? simt::Arena::instance().used() : 0;
        return cudaSuccess;
    });
}

cudaError_t cudaMemPoolTrimTo(cudaMemPool_t, size_t) {
    const Call call(__func__, __builtin_return_address(0));
    return call([] { return cudaSuccess; });
}

}  // namespace simt_cuda
