// SPDX-License-Identifier: MIT
// What a GPU offers besides kernels: memory, copies, waiting. Callers need no header of the CUDA toolkit.
#pragma once

#include <cstddef>
#include <string>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

enum class CopyKind : uint8_t { to_gpu, to_host, on_gpu };

struct GpuMemory {
    size_t free_bytes, total_bytes;
};

// A `stream` is the order in which work is done; memory is taken and given back in that order too.
struct GpuRuntime {
    std::string (*problem)();      // why this GPU cannot be used, "" if it can
    std::string (*description)();  // "NVIDIA H100 (compute capability 9.0)"
    void* (*make_stream)();
    void* (*allocate)(void* stream, size_t bytes);  // null: not enough memory
    void (*release)(void* stream, void* memory) noexcept;
    void (*fill_bytes)(void* stream, void* memory, int byte, size_t bytes);
    // When it returns, host memory has been read or written.
    void (*copy)(void* stream, CopyKind kind, void* to, const void* from, size_t bytes);
    void (*wait)(void* stream);
    GpuMemory (*memory)();
};

bool has_gpu(Device device);           // of this build
const GpuRuntime& gpu(Device device);  // throws "[device] this build has no CUDA device"
const GpuRuntime& gpu_on(simt::Gpu);   // gpu.cu
const GpuRuntime& gpu_on(cuda::Gpu);

}  // namespace lily::kernels
