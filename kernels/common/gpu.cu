// SPDX-License-Identifier: MIT
#include "kernels/common/gpu.h"

#include "kernels/common/gpu_info.h"
#include "kernels/common/launch.h"
#include "kernels/common/staging.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

cudaStream_t as_stream(void* stream) { return static_cast<cudaStream_t>(stream); }

// Found out once: a driver and a GPU are not enough, a kernel has to run.
std::string problem() {
    static const std::string found = gpu_problem(gpu_info_on(Gpu{}, 1));
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
    cudaError_t error = cudaMallocAsync(&memory, bytes, as_stream(stream));
    if (error == cudaErrorMemoryAllocation) {  // what was released may still be in use
        cudaGetLastError();
        check(cudaStreamSynchronize(as_stream(stream)), "memory");
        error = cudaMallocAsync(&memory, bytes, as_stream(stream));
    }
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
    if (kind == CopyKind::to_gpu) return upload("copy", as_stream(stream), to, from, bytes);
    const cudaMemcpyKind direction =
        kind == CopyKind::to_host ? cudaMemcpyDeviceToHost : cudaMemcpyDeviceToDevice;
    check(cudaMemcpyAsync(to, from, bytes, direction, as_stream(stream)), "copy");
    if (kind == CopyKind::to_host) check(cudaStreamSynchronize(as_stream(stream)), "copy");
}

void wait(void* stream) { check(cudaStreamSynchronize(as_stream(stream)), "device"); }

void* begin_read(void* stream, const void* from, size_t bytes) {
    return download("copy", as_stream(stream), from, bytes);
}
void end_read(void* read, void* to, size_t bytes) {
    finish_download("copy", static_cast<Download*>(read), to, bytes);
}

GpuMemory memory() {
    GpuMemory m{};
    check(cudaMemGetInfo(&m.free_bytes, &m.total_bytes), "memory");
    return m;
}

void begin_capture(void* stream) {
    check(cudaStreamBeginCapture(as_stream(stream), cudaStreamCaptureModeThreadLocal), "capture");
}

GpuGraph end_capture(void* stream) {
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(as_stream(stream), &graph), "capture");
    GpuGraph result;
    size_t nodes = 0;
    cudaGraphExec_t executable = nullptr;
    cudaError_t error = cudaGraphGetNodes(graph, nullptr, &nodes);
    if (error == cudaSuccess) error = cudaGraphInstantiate(&executable, graph, 0);
    cudaGraphDestroy(graph);
    check(error, "capture");
    result.executable = executable;
    result.nodes = static_cast<int64_t>(nodes);
    return result;
}

void abandon_capture(void* stream) noexcept {
    cudaGraph_t graph = nullptr;
    if (cudaStreamEndCapture(as_stream(stream), &graph) == cudaSuccess) cudaGraphDestroy(graph);
    cudaGetLastError();
}

void launch_graph(void* stream, const GpuGraph& graph) {
    check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph.executable), as_stream(stream)), "capture");
}

void destroy_graph(const GpuGraph& graph) noexcept {
    if (cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph.executable)) != cudaSuccess)
        cudaGetLastError();
}

void* record_event(void* stream) {
    cudaEvent_t event = nullptr;
    check(cudaEventCreate(&event), "profiler");
    check(cudaEventRecord(event, as_stream(stream)), "profiler");
    return event;
}

double seconds_between(void* from, void* to) {
    float milliseconds = 0;
    check(cudaEventSynchronize(static_cast<cudaEvent_t>(to)), "profiler");
    check(cudaEventElapsedTime(&milliseconds, static_cast<cudaEvent_t>(from), static_cast<cudaEvent_t>(to)),
          "profiler");
    return static_cast<double>(milliseconds) / 1e3;
}

void destroy_event(void* event) noexcept {
    if (cudaEventDestroy(static_cast<cudaEvent_t>(event)) != cudaSuccess) cudaGetLastError();
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const GpuRuntime& gpu_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const GpuRuntime runtime{problem,      description,     make_stream,  allocate,
                                    release,      fill_bytes,      copy,         wait,
                                    begin_read,   end_read,        memory,       begin_capture,
                                    end_capture,  abandon_capture, launch_graph, destroy_graph,
                                    record_event, seconds_between, destroy_event};
    return runtime;
}

}  // namespace lily::kernels
