// SPDX-License-Identifier: MIT
// What would end the program, or never end, is the report of a fault: signals, threads that wait for ever;
// and what memcpy and memset in a kernel touch.
#include "tests/simt/gpu.h"

namespace lily::testing {
namespace {

using Catch::Matchers::ContainsSubstring;
using simt::FaultKind;

#define NEEDS_XRAY() \
    if (!simt::instrumented()) SKIP("the kernels of this build are not instrumented")

const auto kLevels = {simt::Xray::off, simt::Xray::faults, simt::Xray::full};

}  // namespace

TEST_CASE("simt hangs: memcpy and memset past the end", "[simt][faults]") {
    NEEDS_XRAY();
    const FreshDevice device;
    const auto bytes = [] { return Array<unsigned char>(std::vector<unsigned char>(100, 1)); };
    {
        const auto x = bytes(), y = bytes();
        REQUIRE(copy_by_memcpy({}, x, y, 101) == cudaSuccess);
        CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
        check_fault(FaultKind::out_of_bounds, "copy_by_memcpy", {0, 0, 0}, {0, 0, 0});
        simt::reset();
    }
    {
        const auto y = bytes();
        REQUIRE(fill_by_memset({}, y, 104) == cudaSuccess);
        CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
        check_fault(FaultKind::out_of_bounds, "fill_by_memset", {0, 0, 0}, {0, 0, 0});
        simt::reset();
    }
    REQUIRE(fill_by_memset({}, nullptr, 4) == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
    check_fault(FaultKind::out_of_bounds, "fill_by_memset", {0, 0, 0}, {0, 0, 0});
    simt::reset();
    const auto x = bytes(), y = bytes();
    REQUIRE(fill_by_memset({}, x, 100) == cudaSuccess);
    REQUIRE(copy_by_memcpy({}, x, y, 100) == cudaSuccess);
    CHECK(y.values()[99] == 7);
    CHECK(simt::last_report() == "");
}

TEST_CASE("simt hangs: signals in a kernel are faults", "[simt][faults]") {
    NEEDS_XRAY();
    for (const simt::Xray level : kLevels) {
        const FreshDevice device(level);
        INFO("level " << static_cast<int>(level));
        {
            const Array<int> y(64);
            REQUIRE(call_nothing({.block = 64}, y, true) == cudaSuccess);
            CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
            check_fault(FaultKind::out_of_bounds, "call_nothing", {0, 0, 0}, {0, 0, 0});
            simt::reset();
        }
        {
            const Array<int> x(std::vector<int>{1, 2, 0, 4}), y(4);
            REQUIRE(divide({.block = 4}, x, y) == cudaSuccess);
            CHECK(cudaDeviceSynchronize() == cudaErrorIllegalInstruction);
            check_fault(FaultKind::trap, "divide", {0, 0, 0}, {2, 0, 0});
            simt::reset();
        }
        {
            const Array<int> y(std::vector<int>{1, 2});
            REQUIRE(recurse({}, y, 1 << 20) == cudaSuccess);
            CHECK(cudaDeviceSynchronize() == cudaErrorIllegalAddress);
            CHECK_THAT(simt::last_report(), ContainsSubstring("256 KiB of the thread's stack"));
            CHECK_THAT(simt::last_report(), ContainsSubstring("recurse_kernel"));
            simt::reset();
        }
        const Array<int> x(std::vector<int>{1, 2, 3, 4}), y(64);
        REQUIRE(call_nothing({.block = 64}, y, false) == cudaSuccess);
        REQUIRE(divide({.block = 4}, x, y) == cudaSuccess);
        CHECK(y.values()[3] == 25);
        CHECK(simt::last_report() == "");
    }
}

TEST_CASE("simt hangs: a thread that waits for another block, for ever", "[simt][faults]") {
    NEEDS_XRAY();
    for (const simt::Xray level : kLevels) {
        const FreshDevice device(level);
        INFO("level " << static_cast<int>(level));
        for (const unsigned raised_by : {0u, 3u, 9u}) {  // 9: no block of them
            const Array<unsigned> flags(std::vector<unsigned>(1, 0));
            REQUIRE(spin_on_block({.grid = 4, .block = 64}, flags, raised_by) == cudaSuccess);
            if (raised_by != 9) {
                CHECK(cudaDeviceSynchronize() == cudaSuccess);
                CHECK(simt::last_report() == "");
                continue;
            }
            CHECK(cudaDeviceSynchronize() == cudaErrorLaunchTimeout);
            const uint3 block = simt::faults().at(0).block;
            check_fault(FaultKind::hang, "spin_on_block", block, {0, 0, 0});
            CHECK_THAT(simt::last_report(),
                       ContainsSubstring("reads 0 again and again, byte 0 of the 4 bytes"));
            CHECK_THAT(simt::last_report(),
                       ContainsSubstring("63 threads of the block wait at the barrier of line"));
            CHECK_THAT(simt::last_report(),
                       ContainsSubstring("waits at line " + std::to_string(marked_line("spin_on_block"))));
        }
    }
}

TEST_CASE("simt hangs: a thread that waits for another one of its block", "[simt][faults]") {
    NEEDS_XRAY();
    for (const simt::Xray level : kLevels) {
        const FreshDevice device(level);
        INFO("level " << static_cast<int>(level));
        const Array<unsigned> y(1);
        REQUIRE(spin_in_block({.block = 64}, y, true) == cudaSuccess);
        CHECK(y.values()[0] == 1);
        REQUIRE(spin_in_block({.block = 64}, y, false) == cudaSuccess);
        CHECK(cudaDeviceSynchronize() == cudaErrorLaunchTimeout);
        check_fault(FaultKind::hang, "spin_in_block", {0, 0, 0}, {0, 0, 0});
    }
}

TEST_CASE("simt hangs: a barrier of the grid, of atomics", "[simt][races]") {
    NEEDS_XRAY();
    for (const simt::Xray level : kLevels) {
        const FreshDevice device(level);
        INFO("level " << static_cast<int>(level));
        const Array<unsigned> count(std::vector<unsigned>(1, 0));
        const Array<int> x(6 * 64), y(6 * 64);
        REQUIRE(grid_barrier({.grid = 6, .block = 64}, count, x, y) == cudaSuccess);
        CHECK(y.values()[0] == 6 * 64 - 1);
        CHECK(simt::last_report() == "");
    }
}

TEST_CASE("simt hangs: a loop without an end", "[simt][faults]") {
    NEEDS_XRAY();
    for (const simt::Xray level : kLevels) {
        const FreshDevice device(level);
        INFO("level " << static_cast<int>(level));
        simt::set_timeout(0.5);
        const Array<int> y(1);
        REQUIRE(no_end({}, y, 8) == cudaSuccess);
        CHECK(cudaDeviceSynchronize() == cudaErrorLaunchTimeout);
        simt::set_timeout(0);
        check_fault(FaultKind::hang, "no_end", {0, 0, 0}, {0, 0, 0});
        simt::reset();
        const Array<int> z(1);
        REQUIRE(no_end({}, z, 999) == cudaSuccess);
        CHECK(z.values()[0] == 999);
    }
}

}  // namespace lily::testing
