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

// Recorded work: an executable graph, and how many launches and copies are in it.
struct GpuGraph {
    void* executable = nullptr;
    int64_t nodes = 0;
};

// A `stream` is the order in which work is done; memory is taken and given back in that order too.
struct GpuRuntime {
    std::string (*problem)();      // why this GPU cannot be used, "" if it can
    std::string (*description)();  // "NVIDIA H100 (compute capability 9.0)"
    void* (*make_stream)();
    void* (*allocate)(void* stream, size_t bytes);  // null: not enough memory
    void (*release)(void* stream, void* memory) noexcept;
    void (*fill_bytes)(void* stream, void* memory, int byte, size_t bytes);
    // When it returns, host memory has been read or written. The GPU is waited for only if it was written.
    void (*copy)(void* stream, CopyKind kind, void* to, const void* from, size_t bytes);
    void (*wait)(void* stream);
    // To the host without waiting for the GPU: what begins a read of at most kReadBytes says where it will
    // be, end_read waits for that copy alone. Each is ended once; `to` null: nobody wants it.
    static constexpr size_t kReadBytes = 256;
    void* (*begin_read)(void* stream, const void* from, size_t bytes);
    void (*end_read)(void* read, void* to, size_t bytes);
    GpuMemory (*memory)();
    // What this thread asks of the stream from begin_capture to end_capture is recorded instead of done.
    void (*begin_capture)(void* stream);
    GpuGraph (*end_capture)(void* stream);
    void (*abandon_capture)(void* stream) noexcept;
    void (*launch_graph)(void* stream, const GpuGraph&);
    void (*destroy_graph)(const GpuGraph&) noexcept;
    // A mark in the stream: when everything asked of it so far is done, by the GPU's own clock.
    void* (*record_event)(void* stream);
    double (*seconds_between)(void* from, void* to);  // two events; waits for `to`
    void (*destroy_event)(void* event) noexcept;
};

bool has_gpu(Device device);           // of this build
const GpuRuntime& gpu(Device device);  // throws "[device] this build has no CUDA device"
const GpuRuntime& gpu_on(simt::Gpu);   // gpu.cu
const GpuRuntime& gpu_on(cuda::Gpu);

}  // namespace lily::kernels
