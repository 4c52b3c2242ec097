// SPDX-License-Identifier: MIT
#include "kernels/common/gpu.h"

#include "kernels/common/gpu_info.h"
#include "kernels/common/launch.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

cudaStream_t as_stream(void* stream) { return static_cast<cudaStream_t>(stream); }

// Found out once: a driver and a GPU are not enough, a kernel has to run.
std::string problem() {
    static const std::string found = gpu_problem(gpu_info_on(Gpu{}));
    return found;
}

std::string description() {
    cudaDeviceProp properties{};
    check(cudaGetDeviceProperties(&properties, 0), "device");
    return std::string(properties.name) + " (compute capability " + std::to_string(properties.major) + "." +
           std::to_string(properties.minor) + ")";
}

void* make_stream() {
    cudaStream_t result = nullptr;
    check(cudaStreamCreateWithFlags(&result, cudaStreamNonBlocking), "device");
    return result;
}

void* allocate(void* stream, size_t bytes) {
    void* memory = nullptr;
    const cudaError_t error = cudaMallocAsync(&memory, bytes, as_stream(stream));
    if (error == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        return nullptr;
    }
    check(error, "memory");
    return memory;
}

// At the end of a process the runtime may be gone before the last tensor.
void release(void* stream, void* memory) noexcept {
    if (cudaFreeAsync(memory, as_stream(stream)) != cudaSuccess) cudaGetLastError();
}

void fill_bytes(void* stream, void* memory, int byte, size_t bytes) {
    if (bytes > 0) check(cudaMemsetAsync(memory, byte, bytes, as_stream(stream)), "memory");
}

void copy(void* stream, CopyKind kind, void* to, const void* from, size_t bytes) {
    if (bytes == 0) return;
    const cudaMemcpyKind direction = kind == CopyKind::to_gpu    ? cudaMemcpyHostToDevice
                                     : kind == CopyKind::to_host ? cudaMemcpyDeviceToHost
                                                                 : cudaMemcpyDeviceToDevice;
    check(cudaMemcpyAsync(to, from, bytes, direction, as_stream(stream)), "copy");
    if (kind != CopyKind::on_gpu) check(cudaStreamSynchronize(as_stream(stream)), "copy");
}

void wait(void* stream) { check(cudaStreamSynchronize(as_stream(stream)), "device"); }

GpuMemory memory() {
    GpuMemory m{};
    check(cudaMemGetInfo(&m.free_bytes, &m.total_bytes), "memory");
    return m;
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const GpuRuntime& gpu_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const GpuRuntime runtime{problem,    description, make_stream, allocate, release,
                                    fill_bytes, copy,        wait,        memory};
    return runtime;
}

}  // namespace lily::kernels
