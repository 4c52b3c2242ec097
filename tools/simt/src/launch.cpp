// SPDX-License-Identifier: MIT
// From a launch to the blocks: the checks of the call, the arguments kept for later, the OS threads that
// share the grid.
#include <algorithm>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <thread>

#include "api.h"
#include "counters.h"
#include "engine.h"
#include "gpu.h"
#include "report.h"
#include "signals.h"
#include "stream.h"
#include "stream_order.h"

namespace simt {
namespace {

struct Known {
    const Signature* signature;
    size_t dynamic_limit = 48 << 10;  // until it opts in for more
};
std::map<const void*, Known>& kernels() {
    static std::map<const void*, Known> known;
    return known;
}

constexpr unsigned kMostWorkers = 16;

unsigned worker_count() {
    static const unsigned count = [] {
        const char* asked = std::getenv("LILY_SIMT_THREADS");
        const unsigned wanted =
            asked == nullptr ? std::thread::hardware_concurrency() : static_cast<unsigned>(std::atoi(asked));
        return std::clamp(wanted, 1u, kMostWorkers);
    }();
    return count;
}

// OS threads that help the calling one with its launch. They live as long as the program.
class Helpers {
  public:
    static Helpers& instance() {
        static auto* const made = new Helpers;
        return *made;
    }

    void run(Launch& launch) {
        const auto wanted = static_cast<unsigned>(std::min<uint64_t>(launch.blocks(), worker_count())) - 1;
        {
            const std::lock_guard lock(mutex_);
            for (; started_ < wanted; ++started_) std::thread([this] { help(); }).detach();
            launch_ = &launch;
            places_ = wanted;
            ++generation_;
        }
        if (wanted > 0) begin_.notify_all();
        Worker::of_this_thread().run_blocks(launch);
        std::unique_lock lock(mutex_);
        places_ = 0;
        end_.wait(lock, [this] { return busy_ == 0; });
        launch_ = nullptr;
    }

    void add() {
        const std::lock_guard lock(mutex_);
        std::thread([this] { help(); }).detach();
        ++started_, ++places_;
        begin_.notify_all();
    }

  private:
    void help() {
        uint64_t seen = 0;
        std::unique_lock lock(mutex_);
        for (;;) {
            begin_.wait(lock, [&] { return generation_ != seen && places_ > 0; });
            seen = generation_;
            --places_;
            ++busy_;
            Launch& launch = *launch_;
            lock.unlock();
            Worker::of_this_thread().run_blocks(launch);
            lock.lock();
            if (--busy_ == 0) end_.notify_all();
        }
    }

    std::mutex mutex_;
    std::condition_variable begin_, end_;
    Launch* launch_ = nullptr;
    uint64_t generation_ = 0;
    unsigned started_ = 0, places_ = 0, busy_ = 0;
};

std::string text(dim3 d) {
    return "(" + std::to_string(d.x) + "," + std::to_string(d.y) + "," + std::to_string(d.z) + ")";
}

bool within(dim3 d, const int* most) {
    return d.x <= unsigned(most[0]) && d.y <= unsigned(most[1]) && d.z <= unsigned(most[2]) &&
           d.x * uint64_t{d.y} * d.z > 0;
}

// What the hardware refuses, with its error.
cudaError_t check(const Call& call, const cudaLaunchConfig_t& config, const void* function,
                  const Known& kernel) {
    const cudaDeviceProp& gpu = device_properties();
    const auto refuse = [&](cudaError_t error, const std::string& why) {
        return call.mistake(FaultKind::launch, error, why, kernel_name(function));
    };
    const dim3 block = config.blockDim, grid = config.gridDim;
    if (!within(block, gpu.maxThreadsDim))
        return refuse(
            cudaErrorInvalidConfiguration,
            "a block of " + text(block) + " threads; each extent may be 1 to " + text(dim3(1024, 1024, 64)));
    if (uint64_t{block.x} * block.y * block.z > static_cast<unsigned>(gpu.maxThreadsPerBlock))
        return refuse(cudaErrorInvalidConfiguration,
                      "too many threads: " + std::to_string(uint64_t{block.x} * block.y * block.z) +
                          " in a block, " + std::to_string(gpu.maxThreadsPerBlock) + " are possible");
    if (!within(grid, gpu.maxGridSize))
        return refuse(
            cudaErrorInvalidConfiguration,
            "a grid of " + text(grid) + " blocks; each extent may be 1 to (2147483647,65535,65535)");
    const size_t fixed = static_shared_bytes(function);
    if (fixed > gpu.sharedMemPerBlock)
        return refuse(cudaErrorInvalidValue, "too much shared memory: " + std::to_string(fixed) +
                                                 " bytes static, " + std::to_string(gpu.sharedMemPerBlock) +
                                                 " are possible");
    const size_t total = fixed + config.dynamicSmemBytes;
    if (config.dynamicSmemBytes > 0 &&
        total > kernel.dynamic_limit + (kernel.dynamic_limit > gpu.sharedMemPerBlock ? fixed : 0))
        return refuse(cudaErrorInvalidValue, "too much shared memory: " + std::to_string(fixed) +
                                                 " bytes static and " +
                                                 std::to_string(config.dynamicSmemBytes) +
                                                 " dynamic; without cudaFuncSetAttribute(" +
                                                 "cudaFuncAttributeMaxDynamicSharedMemorySize) " +
                                                 std::to_string(kernel.dynamic_limit) + " are possible");
    if (total > gpu.sharedMemPerBlockOptin)
        return refuse(cudaErrorInvalidValue, "too much shared memory: " + std::to_string(total) + " bytes, " +
                                                 std::to_string(gpu.sharedMemPerBlockOptin) +
                                                 " are possible");
    for (unsigned i = 0; i < config.numAttrs; ++i)
        if (config.attrs[i].id == cudaLaunchAttributeCooperative && config.attrs[i].val.cooperative != 0)
            return refuse(cudaErrorNotSupported, "no cooperative launches on the software GPU");
    return cudaSuccess;
}

std::shared_ptr<Launch> make(const cudaLaunchConfig_t& config, const void* function,
                             const Signature& signature, void** args, const void* site) {
    auto launch = std::make_shared<Launch>();
    launch->function = function;
    launch->signature = &signature;
    launch->grid = config.gridDim;
    launch->block = config.blockDim;
    launch->dynamic_shared = config.dynamicSmemBytes;
    launch->site = site;
    size_t bytes = 0;
    for (size_t i = 0; i < signature.count; ++i) bytes = (bytes + 63) / 64 * 64 + signature.sizes[i];
    launch->storage.resize(bytes + 64);
    size_t at = -reinterpret_cast<uintptr_t>(launch->storage.data()) % 64;
    for (size_t i = 0; i < signature.count; ++i) {
        std::memcpy(launch->storage.data() + at, args[i], signature.sizes[i]);
        launch->arguments.push_back(launch->storage.data() + at);
        at = (at + signature.sizes[i] + 63) / 64 * 64;
    }
    return launch;
}

cudaError_t launch_kernel(const Call& call, const cudaLaunchConfig_t& config, const void* function,
                          void** args) {
    const auto found = kernels().find(function);
    cudaError_t error = cudaSuccess;
    if (found == kernels().end()) {
        error = call.mistake(FaultKind::launch, cudaErrorInvalidDeviceFunction,
                             "not a kernel that was ever named with its type", kernel_name(function));
    } else if (CUstream_st* stream = stream_of(config.stream); stream == nullptr) {
        error = call.mistake(FaultKind::stream, cudaErrorInvalidResourceHandle, "the stream does not exist",
                             kernel_name(function));
    } else {
        error = check(call, config, function, found->second);
        if (error == cudaSuccess) {
            const auto launch = make(config, function, *found->second.signature, args, call.site());
            const std::string label = "kernel " + kernel_name(function);
            const bool probe =
                launch->blocks() == 1 && launch->block.x * launch->block.y * launch->block.z == 1;
            error = enqueue(stream, {cudaGraphNodeTypeKernel, label, [launch] { return run(*launch); }, probe,
                                     call.site()});
        }
    }
    if (error != cudaSuccess) launch_failed(kernel_name(function), call.site(), error);
    return error;
}

}  // namespace

void one_more_block(Launch& launch) {
    launch.alone = false;
    Helpers::instance().add();
}

const void* known_kernel(const void* function, const Signature& signature) {
    const std::lock_guard lock(api_mutex());
    kernels().try_emplace(function, Known{&signature});
    return function;
}

cudaError_t run(Launch& launch) {
    const uint64_t blocks = launch.blocks();
    launch.first_stamp = 0;
    if (instrumented() && xray() == Xray::full) {
        prepare_races();
        order_launch(launch);
        begin_launch_order();
        launch.alone = std::min<uint64_t>(blocks, worker_count()) == 1;
    }
    launch.next_block = 0;
    launch.stopped = false;
    launch.error = cudaSuccess;
    count_launch(launch.function, blocks, blocks * launch.block.x * launch.block.y * launch.block.z);
    launch.schedule = schedule();
    launch.extra = 0;
    launch.moved = 0;
    prepare_signals();
    begin_watch();
    Helpers::instance().run(launch);
    end_watch();
    launch_has_run(launch);
    return launch.error;
}

}  // namespace simt

inline namespace simt_cuda {

using simt::Call;

cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* func, void** args) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] { return simt::launch_kernel(call, *config, func, args); });
}

cudaError_t cudaLaunchKernel(const void* func, dim3 gridDim, dim3 blockDim, void** args, size_t sharedMem,
                             cudaStream_t stream) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        return simt::launch_kernel(call, {gridDim, blockDim, sharedMem, stream, nullptr, 0}, func, args);
    });
}

cudaError_t cudaFuncSetAttribute(const void* func, cudaFuncAttribute attr, int value) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        const auto found = simt::kernels().find(func);
        if (found == simt::kernels().end()) return cudaErrorInvalidDeviceFunction;
        if (attr == cudaFuncAttributePreferredSharedMemoryCarveout) return cudaSuccess;
        if (attr != cudaFuncAttributeMaxDynamicSharedMemorySize) return cudaErrorInvalidValue;
        const size_t most =
            simt::device_properties().sharedMemPerBlockOptin - simt::static_shared_bytes(func);
        if (value < 0 || static_cast<size_t>(value) > most)
            return call.mistake(simt::FaultKind::launch, cudaErrorInvalidValue,
                                "too much shared memory: " + std::to_string(value) + " bytes, " +
                                    std::to_string(most) + " are possible",
                                simt::kernel_name(func));
        found->second.dynamic_limit = static_cast<size_t>(value);
        return cudaSuccess;
    });
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attr, const void* func) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        const auto found = simt::kernels().find(func);
        if (found == simt::kernels().end()) return cudaErrorInvalidDeviceFunction;
        *attr = {};
        attr->sharedSizeBytes = simt::static_shared_bytes(func);
        attr->maxThreadsPerBlock = 1024;
        attr->numRegs = 32;
        attr->binaryVersion = attr->ptxVersion =
            simt::device_properties().major * 10 + simt::device_properties().minor;
        attr->maxDynamicSharedSizeBytes = static_cast<int>(found->second.dynamic_limit);
        return cudaSuccess;
    });
}

cudaError_t cudaFuncSetCacheConfig(const void* func, cudaFuncCache) {
    const Call call(__func__, __builtin_return_address(0));
    return call(
        [&] { return simt::kernels().contains(func) ? cudaSuccess : cudaErrorInvalidDeviceFunction; });
}

// By threads, blocks and shared memory; registers are unknown here (docs/gpu_resources.md has them).
cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* numBlocks, const void* func, int blockSize,
                                                          size_t dynamicSMemSize) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        const cudaDeviceProp& gpu = simt::device_properties();
        if (numBlocks == nullptr || blockSize <= 0) return cudaErrorInvalidValue;
        if (!simt::kernels().contains(func)) return cudaErrorInvalidDeviceFunction;
        const size_t shared =
            simt::static_shared_bytes(func) + dynamicSMemSize + gpu.reservedSharedMemPerBlock;
        const int warps = (blockSize + 31) / 32;
        *numBlocks = std::min({gpu.maxBlocksPerMultiProcessor, gpu.maxThreadsPerMultiProcessor / (32 * warps),
                               static_cast<int>(gpu.sharedMemPerMultiprocessor / shared)});
        if (blockSize > gpu.maxThreadsPerBlock) *numBlocks = 0;
        return cudaSuccess;
    });
}

}  // namespace simt_cuda
