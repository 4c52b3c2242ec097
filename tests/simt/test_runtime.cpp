// SPDX-License-Identifier: MIT
// The runtime API at its worst: late streams, poisoned memory, limits, errors that somebody has to read.
#include <cmath>
#include <cstring>

#include "tests/simt/gpu.h"

namespace lily::testing {
namespace {

using simt::FaultKind;

bool reported(FaultKind kind, const std::string& part) {
    for (const auto& fault : simt::faults())
        if (fault.kind == kind && fault.text.find(part) != std::string::npos && fault.line > 0) return true;
    UNSCOPED_INFO("the last report: " << simt::last_report());
    return false;
}

}  // namespace

TEST_CASE("simt: fresh device memory is NaN and aligned to no more than 256 bytes", "[simt][runtime]") {
    const FreshDevice device;
    const Array<float> x(1000);
    for (const float value : x.values()) REQUIRE(std::isnan(value));
    CHECK(reinterpret_cast<uintptr_t>(x.data) % 512 == 256);
    cudaPointerAttributes attributes;
    REQUIRE(cudaPointerGetAttributes(&attributes, x) == cudaSuccess);
    CHECK(attributes.type == cudaMemoryTypeDevice);
}

TEST_CASE("simt: work waits until somebody waits for it", "[simt][runtime]") {
    const FreshDevice device;
    cudaStream_t stream;
    REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
    const Array<float> x(counting(64)), y(64);
    std::vector<float> host(64, 5);
    REQUIRE(scale({.block = 64, .stream = stream}, y, x, 2, 64) == cudaSuccess);
    REQUIRE(cudaMemcpyAsync(host.data(), y, 256, cudaMemcpyDeviceToHost, stream) == cudaSuccess);
    for (const float value : host) REQUIRE(std::isnan(value));  // neither the old nor the new values
    CHECK(cudaStreamQuery(stream) == cudaErrorNotReady);
    REQUIRE(cudaStreamSynchronize(stream) == cudaSuccess);
    CHECK(host[7] == 14);
    CHECK(cudaStreamQuery(stream) == cudaSuccess);
    CHECK(cudaStreamDestroy(stream) == cudaSuccess);
    CHECK(simt::last_report() == "");
}

TEST_CASE("simt faults: pinned memory is read before its stream was waited for", "[simt][runtime][faults]") {
    const FreshDevice device;
    cudaStream_t stream;
    REQUIRE(cudaStreamCreate(&stream) == cudaSuccess);
    const Array<float> x(counting(64)), y(64);
    float* host = nullptr;
    REQUIRE(cudaMallocHost(&host, 256) == cudaSuccess);
    REQUIRE(scale({.block = 64, .stream = stream}, y, x, 2, 64) == cudaSuccess);
    REQUIRE(cudaMemcpyAsync(host, y, 256, cudaMemcpyDeviceToHost, stream) == cudaSuccess);
    const float early = *static_cast<volatile float*>(host + 7);
    CHECK(std::isnan(early));
    CHECK(reported(FaultKind::stream, "scale_kernel, cudaMemcpyAsync"));
    CHECK(reported(FaultKind::stream, "test_runtime.cpp:"));
    REQUIRE(cudaStreamSynchronize(stream) == cudaSuccess);
    CHECK(host[7] == 14);
    CHECK(simt::faults().size() == 1);
    CHECK(cudaFreeHost(host) == cudaSuccess);
    CHECK(cudaStreamDestroy(stream) == cudaSuccess);
}

TEST_CASE("simt: the legacy stream waits for blocking streams and they for it", "[simt][runtime]") {
    const FreshDevice device;
    cudaStream_t stream;
    REQUIRE(cudaStreamCreate(&stream) == cudaSuccess);
    const Array<float> x(counting(64)), y(64), z(64), w(64);
    REQUIRE(scale({.block = 64}, y, x, 2, 64) == cudaSuccess);
    REQUIRE(scale({.block = 64, .stream = stream}, z, y, 3, 64) == cudaSuccess);
    REQUIRE(scale({.block = 64}, w, z, 5, 64) == cudaSuccess);
    CHECK(w.values()[2] == 60);
    CHECK(cudaStreamDestroy(stream) == cudaSuccess);
}

TEST_CASE("simt: streams do not wait for each other without an event", "[simt][runtime]") {
    const FreshDevice device;
    cudaStream_t a, b;
    cudaEvent_t event;
    REQUIRE(cudaStreamCreateWithFlags(&a, cudaStreamNonBlocking) == cudaSuccess);
    REQUIRE(cudaStreamCreateWithFlags(&b, cudaStreamNonBlocking) == cudaSuccess);
    REQUIRE(cudaEventCreate(&event) == cudaSuccess);
    const Array<float> x(counting(64)), y(std::vector<float>(64, 0)), z(64);
    REQUIRE(scale({.block = 64, .stream = a}, y, x, 2, 64) == cudaSuccess);
    REQUIRE(scale({.block = 64, .stream = b}, z, y, 3, 64) == cudaSuccess);
    REQUIRE(cudaStreamSynchronize(b) == cudaSuccess);
    CHECK(z.values()[2] == 0);  // y was not there yet
    REQUIRE(cudaStreamSynchronize(a) == cudaSuccess);

    REQUIRE(scale({.block = 64, .stream = a}, y, x, 4, 64) == cudaSuccess);
    REQUIRE(cudaEventRecord(event, a) == cudaSuccess);
    CHECK(cudaEventQuery(event) == cudaErrorNotReady);
    REQUIRE(cudaStreamWaitEvent(b, event) == cudaSuccess);
    REQUIRE(scale({.block = 64, .stream = b}, z, y, 3, 64) == cudaSuccess);
    REQUIRE(cudaStreamSynchronize(b) == cudaSuccess);
    CHECK(z.values()[2] == 24);
    CHECK(cudaEventSynchronize(event) == cudaSuccess);
    CHECK(cudaEventDestroy(event) == cudaSuccess);
    CHECK(cudaEventDestroy(event) == cudaErrorInvalidResourceHandle);
    CHECK(cudaStreamDestroy(a) == cudaSuccess);
    CHECK(cudaStreamDestroy(b) == cudaSuccess);
    CHECK(cudaStreamSynchronize(b) == cudaErrorInvalidResourceHandle);
    (void)cudaGetLastError();
}

TEST_CASE("simt: events measure time", "[simt][runtime]") {
    const FreshDevice device;
    cudaEvent_t start, end;
    REQUIRE(cudaEventCreate(&start) == cudaSuccess);
    REQUIRE(cudaEventCreate(&end) == cudaSuccess);
    float ms = -1;
    CHECK(cudaEventElapsedTime(&ms, start, end) == cudaErrorInvalidResourceHandle);
    const Array<float> x(counting(64)), y(64);
    REQUIRE(cudaEventRecord(start) == cudaSuccess);
    REQUIRE(scale({.block = 64}, y, x, 2, 64) == cudaSuccess);
    REQUIRE(cudaEventRecord(end) == cudaSuccess);
    CHECK(cudaEventElapsedTime(&ms, start, end) == cudaErrorNotReady);
    REQUIRE(cudaEventSynchronize(end) == cudaSuccess);
    REQUIRE(cudaEventElapsedTime(&ms, start, end) == cudaSuccess);
    CHECK((ms > 0 && ms < 60000));
    CHECK(cudaEventDestroy(start) == cudaSuccess);
    CHECK(cudaEventDestroy(end) == cudaSuccess);
    (void)cudaGetLastError();
}

TEST_CASE("simt: a captured graph replays later, and again", "[simt][runtime]") {
    const FreshDevice device;
    cudaStream_t stream, side;
    cudaEvent_t fork, join;
    REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
    REQUIRE(cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking) == cudaSuccess);
    REQUIRE(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming) == cudaSuccess);
    REQUIRE(cudaEventCreateWithFlags(&join, cudaEventDisableTiming) == cudaSuccess);
    const Array<float> x(counting(64)), y(std::vector<float>(64, 1)), z(64);
    REQUIRE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
    REQUIRE(scale({.block = 64, .stream = stream}, y, x, 2, 64) == cudaSuccess);
    REQUIRE(cudaEventRecord(fork, stream) == cudaSuccess);
    REQUIRE(cudaStreamWaitEvent(side, fork) == cudaSuccess);
    REQUIRE(scale({.block = 64, .stream = side}, z, y, 3, 64) == cudaSuccess);
    REQUIRE(cudaEventRecord(join, side) == cudaSuccess);
    REQUIRE(cudaStreamWaitEvent(stream, join) == cudaSuccess);
    cudaGraph_t graph;
    REQUIRE(cudaStreamEndCapture(stream, &graph) == cudaSuccess);
    size_t nodes = 0;
    REQUIRE(cudaGraphGetNodes(graph, nullptr, &nodes) == cudaSuccess);
    CHECK(nodes == 2);
    cudaGraphExec_t exec;
    REQUIRE(cudaGraphInstantiate(&exec, graph) == cudaSuccess);
    REQUIRE(cudaGraphDestroy(graph) == cudaSuccess);
    CHECK(y.values()[2] == 1);  // captured is not run
    REQUIRE(cudaGraphLaunch(exec, stream) == cudaSuccess);
    REQUIRE(cudaStreamSynchronize(stream) == cudaSuccess);
    CHECK(z.values()[2] == 12);
    REQUIRE(cudaMemcpy(x, std::vector<float>(64, 7).data(), 256, cudaMemcpyHostToDevice) == cudaSuccess);
    REQUIRE(cudaGraphLaunch(exec, stream) == cudaSuccess);
    REQUIRE(cudaStreamSynchronize(stream) == cudaSuccess);
    CHECK(z.values()[2] == 42);
    CHECK(cudaGraphExecDestroy(exec) == cudaSuccess);
    CHECK(simt::last_report() == "");
}

TEST_CASE("simt faults: waiting and allocating inside of a capture, work that does not come back",
          "[simt][runtime][faults]") {
    const FreshDevice device;
    cudaStream_t stream, side;
    cudaEvent_t fork;
    cudaGraph_t graph;
    void* memory = nullptr;
    REQUIRE(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) == cudaSuccess);
    REQUIRE(cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking) == cudaSuccess);
    REQUIRE(cudaEventCreate(&fork) == cudaSuccess);
    const Array<float> x(counting(64)), y(64);

    REQUIRE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal) == cudaSuccess);
    CHECK(cudaStreamSynchronize(stream) == cudaErrorStreamCaptureUnsupported);
    CHECK(scale({.block = 64, .stream = stream}, y, x, 2, 64) == cudaErrorStreamCaptureInvalidated);
    (void)cudaGetLastError();
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureInvalidated);

    REQUIRE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal) == cudaSuccess);
    CHECK(cudaMalloc(&memory, 64) == cudaErrorStreamCaptureUnsupported);
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureInvalidated);

    REQUIRE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal) == cudaSuccess);
    REQUIRE(cudaEventRecord(fork, stream) == cudaSuccess);
    REQUIRE(cudaStreamWaitEvent(side, fork) == cudaSuccess);
    REQUIRE(scale({.block = 64, .stream = side}, y, x, 2, 64) == cudaSuccess);
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureUnjoined);
    (void)cudaGetLastError();
}

TEST_CASE("simt faults: copies in the wrong direction or range", "[simt][runtime][faults]") {
    const FreshDevice device;
    const Array<float> x(counting(64)), y(64);
    std::vector<float> host(64);
    CHECK(cudaMemcpy(x, host.data(), 256, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
    CHECK(reported(FaultKind::copy,
                   "wrong direction: cudaMemcpyDeviceToHost, but the destination is device memory"));
    CHECK(reported(FaultKind::copy, "test_runtime.cpp:"));
    CHECK(cudaMemcpyAsync(x, host.data(), 256, cudaMemcpyDeviceToDevice) == cudaErrorInvalidValue);
    CHECK(cudaMemcpy(x, host.data(), 256, static_cast<cudaMemcpyKind>(7)) == cudaErrorInvalidMemcpyDirection);
    CHECK(cudaMemcpy(x, host.data(), 260, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
    CHECK(reported(FaultKind::copy, "260 bytes at the destination: out of range"));
    CHECK(cudaMemset(x + 1, 0, 256) == cudaErrorInvalidValue);
    CHECK(cudaMemset(host.data(), 0, 4) == cudaErrorInvalidValue);
    CHECK(cudaMemcpy(y, x, 256, cudaMemcpyDefault) == cudaSuccess);
    CHECK(y.values() == counting(64));
    CHECK(cudaGetLastError() == cudaErrorInvalidValue);
    CHECK(cudaGetLastError() == cudaSuccess);
}

TEST_CASE("simt faults: freed twice, freed in the middle, used by a copy after it was freed",
          "[simt][runtime][faults]") {
    const FreshDevice device;
    const Array<float> x(counting(64)), y(64);
    CHECK(cudaFree(x + 1) == cudaErrorInvalidValue);
    CHECK(cudaFree(x) == cudaSuccess);
    CHECK(cudaFree(x) == cudaErrorInvalidValue);
    CHECK(reported(FaultKind::use_after_free, "freed twice"));
    CHECK(cudaMemcpy(y, x, 256, cudaMemcpyDeviceToDevice) == cudaErrorInvalidValue);
    CHECK(cudaFree(nullptr) == cudaSuccess);
    (void)cudaGetLastError();
}

TEST_CASE("simt: what is still allocated can be listed", "[simt][runtime]") {
    const FreshDevice device;
    CHECK(simt::allocations().empty());
    const Array<float> x(10), y(20);
    CHECK(cudaFree(x) == cudaSuccess);
    const auto living = simt::allocations();
    REQUIRE(living.size() == 1);
    CHECK(living[0].bytes == 80);
    CHECK(living[0].file.ends_with("gpu.h"));
}

TEST_CASE("simt faults: launches beyond the limits", "[simt][runtime][faults]") {
    const FreshDevice device;
    const Array<float> x(counting(64)), y(64);
    const Array<int> i(2048);
    CHECK(scale({.block = 1025}, y, x, 1, 1) == cudaErrorInvalidConfiguration);
    CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
    CHECK(scale({.block = dim3(64, 32)}, y, x, 1, 1) == cudaErrorInvalidConfiguration);
    CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
    CHECK(reported(FaultKind::launch, "too many threads: 2048 in a block, 1024 are possible"));
    CHECK(reported(FaultKind::launch, "scale_kernel"));
    CHECK(scale({.grid = dim3(1, 65536)}, y, x, 1, 1) == cudaErrorInvalidConfiguration);
    CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
    CHECK(scale({.grid = 0}, y, x, 1, 1) == cudaErrorInvalidConfiguration);
    CHECK(cudaGetLastError() == cudaErrorInvalidConfiguration);
    CHECK(scale({.shared = 48 * 1024 + 1}, y, x, 1, 1) == cudaErrorInvalidValue);
    CHECK(cudaGetLastError() == cudaErrorInvalidValue);
    CHECK(reported(FaultKind::launch, "too much shared memory"));
    CHECK(write_shared_beyond({.block = 64, .shared = 228 * 1024}, y, 0) == cudaErrorInvalidValue);
    CHECK(cudaGetLastError() == cudaErrorInvalidValue);
    CHECK(reverse_dynamic({.block = 64, .shared = 228 * 1024}, i, i) == cudaErrorInvalidValue);
    CHECK(reported(FaultKind::launch, "232448 are possible"));
    simt::choose_gpu("RTX4090");
    CHECK(reverse_dynamic({.block = 64, .shared = 101 * 1024}, i, i) == cudaErrorInvalidValue);
    (void)cudaGetLastError();
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
}

TEST_CASE("simt faults: a failed launch whose error nobody reads", "[simt][runtime][faults]") {
    const FreshDevice device;
    const Array<float> x(counting(64)), y(64);
    (void)scale({.block = 2000}, y, x, 1, 1);
    CHECK(simt::faults().size() == 1);
    (void)cudaDeviceSynchronize();
    CHECK(reported(FaultKind::unchecked, "scale_kernel"));
    CHECK(reported(FaultKind::unchecked, "kernels.h:"));  // the launch
    CHECK(simt::faults().size() == 2);
    (void)cudaDeviceSynchronize();
    CHECK(simt::faults().size() == 2);  // said once
    (void)cudaGetLastError();
}

TEST_CASE("simt: occupancy by threads and shared memory", "[simt][runtime]") {
    const FreshDevice device;
    const auto blocks = [](int threads, size_t shared) {
        int count = -1;
        REQUIRE(occupancy(&count, threads, shared) == cudaSuccess);
        return count;
    };
    CHECK(blocks(256, 0) == 8);  // 2048 threads
    CHECK(blocks(32, 0) == 32);
    CHECK(blocks(33, 0) == 32);
    CHECK(blocks(256, 48 << 10) == 4);  // 228 KB, and 1 KB more for each block
    CHECK(blocks(1025, 0) == 0);
    simt::choose_gpu("RTX4090");
    CHECK(blocks(1024, 0) == 1);
    int grid = 0, block = 0;
    REQUIRE(best_block(&grid, &block) == cudaSuccess);
    CHECK((block == 768 && grid == 256));
}

TEST_CASE("simt: the GPU that was chosen", "[simt][runtime]") {
    const FreshDevice device;
    cudaDeviceProp properties;
    for (const auto& [name, major, shared] : {std::tuple{"A100", 8, 163}, std::tuple{"H100", 9, 227},
                                              std::tuple{"RTX4090", 8, 99}, std::tuple{"B200", 10, 227}}) {
        simt::choose_gpu(name);
        REQUIRE(cudaGetDeviceProperties(&properties, 0) == cudaSuccess);
        CHECK(properties.major == major);
        int value = 0;
        REQUIRE(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0) == cudaSuccess);
        CHECK(value == shared * 1024);
    }
    CHECK_THROWS_WITH(simt::choose_gpu("TNT2"), Catch::Matchers::ContainsSubstring("no TNT2"));
    int count = 0;
    CHECK((cudaGetDeviceCount(&count) == cudaSuccess && count == 1));
    CHECK(cudaSetDevice(1) == cudaErrorInvalidDevice);
    size_t free = 0, total = 0;
    REQUIRE(cudaMemGetInfo(&free, &total) == cudaSuccess);
    CHECK(free == total);
    void* memory = nullptr;
    CHECK(cudaMalloc(&memory, total + 1) == cudaErrorMemoryAllocation);
    CHECK(std::string(cudaGetErrorName(cudaGetLastError())) == "cudaErrorMemoryAllocation");
    CHECK(std::string(cudaGetErrorString(cudaErrorIllegalAddress)) ==
          "an illegal memory access was encountered");
}

}  // namespace lily::testing
