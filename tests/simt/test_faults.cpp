// SPDX-License-Identifier: MIT
// Each fault is caught, and the report names kernel, line, block and thread.
#include "tests/simt/gpu.h"

namespace lily::testing {
namespace {

using simt::FaultKind;

#define NEEDS_XRAY() \
    if (!simt::instrumented()) SKIP("the kernels of this build are not instrumented")

// The launch itself is queued and succeeds; the fault shows at the next call that waits, and stays.
void runs_into(cudaError_t launched, cudaError_t wanted) {
    REQUIRE(launched == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == wanted);
    CHECK(cudaDeviceSynchronize() == wanted);
    CHECK(cudaGetLastError() == wanted);
}

}  // namespace

TEST_CASE("simt faults: a read outside of an allocation", "[simt][faults]") {
    NEEDS_XRAY();
    const FreshDevice device;
    const Array<float> x(counting(128)), y(128);
    runs_into(read_beyond({.grid = 4, .block = 32}, x, y, 1), cudaErrorIllegalAddress);
    check_fault(FaultKind::out_of_bounds, "read_beyond", {3, 0, 0}, {31, 0, 0});
    CHECK_THAT(simt::last_report(),
               Catch::Matchers::ContainsSubstring("0 bytes after the end of the 512 bytes"));
    CHECK_THAT(simt::last_report(), Catch::Matchers::ContainsSubstring("gpu.h:"));  // where it was allocated
}

TEST_CASE("simt faults: a write outside of an allocation", "[simt][faults]") {
    NEEDS_XRAY();
    const FreshDevice device;
    const Array<float> y(64);
    runs_into(write_beyond({.grid = 1, .block = 64}, y, -1), cudaErrorIllegalAddress);
    check_fault(FaultKind::out_of_bounds, "write_beyond", {0, 0, 0}, {0, 0, 0});
}

TEST_CASE("simt faults: a null pointer", "[simt][faults]") {
    NEEDS_XRAY();
    const FreshDevice device;
    runs_into(write_beyond({.block = 64}, nullptr, 0), cudaErrorIllegalAddress);
    check_fault(FaultKind::out_of_bounds, "write_beyond", {0, 0, 0}, {0, 0, 0});
}

TEST_CASE("simt faults: a read outside of a shared array", "[simt][faults]") {
    NEEDS_XRAY();
    const FreshDevice device;
    const Array<float> y(64);
    runs_into(read_shared_beyond({.grid = 2, .block = 64}, y, 1), cudaErrorIllegalAddress);
    const unsigned block = simt::faults().at(0).block.x;
    check_fault(FaultKind::out_of_bounds, "read_shared_beyond", {block, 0, 0}, {63, 0, 0});
    CHECK_THAT(simt::last_report(),
               Catch::Matchers::ContainsSubstring("after the end of the array tile (256 bytes)"));
}

TEST_CASE("simt faults: a write outside of the dynamic shared memory", "[simt][faults]") {
    NEEDS_XRAY();
    const FreshDevice device;
    const Array<float> y(64);
    runs_into(write_shared_beyond({.block = 64, .shared = 256}, y, 1), cudaErrorIllegalAddress);
    check_fault(FaultKind::out_of_bounds, "write_shared_beyond", {0, 0, 0}, {63, 0, 0});
}

TEST_CASE("simt faults: use after free", "[simt][faults]") {
    NEEDS_XRAY();
    const FreshDevice device;
    const Array<float> x(counting(64)), y(64);
    REQUIRE(cudaFree(x) == cudaSuccess);
    runs_into(read_beyond({.block = 64}, x, y, 0), cudaErrorIllegalAddress);
    check_fault(FaultKind::use_after_free, "read_beyond", {0, 0, 0}, {0, 0, 0});
    CHECK_THAT(simt::last_report(), Catch::Matchers::ContainsSubstring("freed at"));
}

TEST_CASE("simt faults: freed in the stream before the kernel runs", "[simt][faults]") {
    NEEDS_XRAY();
    const FreshDevice device;
    const Array<float> x(counting(64)), y(64);
    REQUIRE(cudaFreeAsync(x, nullptr) == cudaSuccess);
    runs_into(read_beyond({.block = 64}, x, y, 0), cudaErrorIllegalAddress);
    check_fault(FaultKind::use_after_free, "read_beyond", {0, 0, 0}, {0, 0, 0});
}

TEST_CASE("simt faults: a read of memory nobody wrote", "[simt][faults]") {
    NEEDS_XRAY();
    const FreshDevice device;
    const Array<float> x(64), y(64);
    REQUIRE(cudaMemset(x, 0, 30 * sizeof(float)) == cudaSuccess);
    runs_into(read_beyond({.block = 64}, x, y, 0), cudaErrorLaunchFailure);
    check_fault(FaultKind::uninitialised, "read_beyond", {0, 0, 0}, {30, 0, 0});
}

TEST_CASE("simt faults: a read of shared memory nobody wrote", "[simt][faults]") {
    NEEDS_XRAY();
    const FreshDevice device;
    const Array<float> y(64);
    runs_into(read_unwritten_shared({.block = 64}, y), cudaErrorLaunchFailure);
    check_fault(FaultKind::uninitialised, "read_unwritten_shared", {0, 0, 0}, {5, 0, 0});
}

TEST_CASE("simt faults: a missing __syncthreads is a race in shared memory", "[simt][faults]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    const Array<float> y(64);
    REQUIRE(shared_race({.block = 64}, y, false) == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
    const auto faults = simt::faults();
    REQUIRE(faults.size() == 1);
    INFO(faults[0].text);
    CHECK(faults[0].kind == FaultKind::race);
    CHECK((faults[0].line == marked_line("shared_race") || faults[0].line == marked_line("shared_race") - 2));
    CHECK_THAT(faults[0].kernel, Catch::Matchers::ContainsSubstring("shared_race_kernel"));
    CHECK_THAT(faults[0].text, Catch::Matchers::ContainsSubstring("no barrier in between"));
    CHECK_THAT(faults[0].text, Catch::Matchers::ContainsSubstring("by thread ("));
}

TEST_CASE("simt faults: a race in global memory within a block", "[simt][faults]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    const Array<float> y(std::vector<float>(64, 0));
    runs_into(neighbours_in_place({.block = 64}, y, false), cudaErrorLaunchFailure);
    CHECK(simt::faults().at(0).kind == FaultKind::race);
}

TEST_CASE("simt faults: two blocks write the same place", "[simt][faults]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    const Array<float> y(1);
    runs_into(global_race({.grid = 2, .block = 32}, y, false), cudaErrorLaunchFailure);
    const unsigned block = simt::faults().at(0).block.x;
    check_fault(FaultKind::race, "global_race", {block, 0, 0}, {0, 0, 0});
}

TEST_CASE("simt faults: a barrier that half of the block reaches", "[simt][faults]") {
    const FreshDevice device;
    const Array<float> y(64);
    runs_into(half_a_barrier({.grid = dim3(1, 2), .block = 64}, y), cudaErrorLaunchFailure);
    const uint3 block = simt::faults().at(0).block;
    check_fault(FaultKind::barrier, "half_a_barrier", block, {0, 0, 0});
    CHECK_THAT(simt::last_report(),
               Catch::Matchers::ContainsSubstring("reached by 32 of the block's 64 threads"));
    CHECK_THAT(simt::last_report(),
               Catch::Matchers::ContainsSubstring("thread (32,0,0) has left the kernel"));
}

TEST_CASE("simt faults: threads of one block at two barriers", "[simt][faults]") {
    const FreshDevice device;
    const Array<float> y(64);
    runs_into(two_barriers({.block = 64}, y), cudaErrorLaunchFailure);
    const uint3 thread = simt::faults().at(0).thread;
    check_fault(FaultKind::barrier, "two_barriers", {0, 0, 0}, thread);
}

TEST_CASE("simt faults: a shuffle names a lane that has left", "[simt][faults]") {
    const FreshDevice device;
    const Array<float> y(64);
    runs_into(early_exit_shuffle({.block = 64}, y, 50), cudaErrorLaunchFailure);
    const uint3 thread = simt::faults().at(0).thread;
    check_fault(FaultKind::collective, "early_exit_shuffle", {0, 0, 0}, thread);
    CHECK_THAT(simt::last_report(),
               Catch::Matchers::ContainsSubstring("thread (50,0,0), which has left the kernel"));
}

TEST_CASE("simt faults: a shuffle names a lane that is elsewhere", "[simt][faults]") {
    const FreshDevice device;
    const Array<float> y(32);
    runs_into(divergent_shuffle({.block = 32}, y), cudaErrorLaunchFailure);
    check_fault(FaultKind::collective, "divergent_shuffle", {0, 0, 0}, {0, 0, 0});
    CHECK_THAT(simt::last_report(),
               Catch::Matchers::ContainsSubstring("thread (16,0,0), which waits at the barrier"));
}

TEST_CASE("simt faults: a misaligned vector", "[simt][faults]") {
    NEEDS_XRAY();
    const FreshDevice device;
    const Array<float> x(counting(64)), y(64);
    runs_into(misaligned({.block = 32}, x, y), cudaErrorMisalignedAddress);
    check_fault(FaultKind::misaligned, "misaligned", {0, 0, 0}, {0, 0, 0});
}

TEST_CASE("simt faults: a host pointer in a kernel", "[simt][faults]") {
    NEEDS_XRAY();
    const FreshDevice device;
    const std::vector<float> host(64, 1);
    const Array<float> y(64);
    runs_into(read_beyond({.block = 64}, host.data(), y, 0), cudaErrorIllegalAddress);
    check_fault(FaultKind::host_pointer, "read_beyond", {0, 0, 0}, {0, 0, 0});
}

TEST_CASE("simt faults: device memory in the host code of a .cu file", "[simt][faults]") {
    NEEDS_XRAY();
    const FreshDevice device;
    const Array<float> x(counting(8));
    float result = 0;
    host_reads_device(x, &result);
    const auto faults = simt::faults();
    REQUIRE(faults.size() == 1);
    CHECK(faults[0].kind == FaultKind::host_pointer);
    CHECK(faults[0].line == marked_line("host_reads_device"));
}

TEST_CASE("simt faults: __trap", "[simt][faults]") {
    const FreshDevice device;
    runs_into(give_up({.grid = 1, .block = dim3(64)}, 17), cudaErrorLaunchFailure);
    check_fault(FaultKind::trap, "give_up", {0, 0, 0}, {17, 0, 0});
}

TEST_CASE("simt faults: nothing runs after a fault until the device is reset", "[simt][faults]") {
    const FreshDevice device;
    void* memory = nullptr;
    runs_into(give_up({.block = 32}, 0), cudaErrorLaunchFailure);
    CHECK(cudaMalloc(&memory, 4) == cudaErrorLaunchFailure);
    CHECK(give_up({.block = 32}, 0) == cudaErrorLaunchFailure);
    CHECK(cudaDeviceReset() == cudaSuccess);
    CHECK(cudaMalloc(&memory, 4) == cudaSuccess);
    CHECK(cudaGetLastError() == cudaSuccess);
}

}  // namespace lily::testing
