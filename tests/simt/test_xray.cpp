// SPDX-License-Identifier: MIT
// The counters, on kernels whose numbers are known.
#include <algorithm>

#include "tests/simt/gpu.h"
#include "tests/simt/races.h"
#include "tests/simt/streams.h"

namespace lily::testing {
namespace {

simt::Counters counters_of(const std::string& name) {
    for (const auto& counters : simt::counters())
        if (counters.kernel.find(name) != std::string::npos) return counters;
    FAIL("no counters of " << name);
    return {};
}

#define NEEDS_XRAY() \
    if (!simt::instrumented()) SKIP("the kernels of this build are not instrumented")

}  // namespace

TEST_CASE("xray: a load of neighbours takes 4 sectors per warp, a stride of 8 takes 32", "[simt][xray]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    const Array<float> x(counting(1024 * 8)), y(1024);
    for (const auto& [stride, sectors] : {std::pair{1, 4.0}, std::pair{2, 8.0}, std::pair{8, 32.0}}) {
        simt::reset_counters();
        REQUIRE(copy_strided({.grid = 4, .block = 256}, x, y, stride) == cudaSuccess);
        REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
        const auto counted = counters_of("copy_strided_kernel");
        CHECK(counted.launches == 1);
        CHECK(counted.blocks == 4);
        CHECK(counted.threads == 1024);
        CHECK(counted.loads.requests == 32);
        CHECK(counted.loads.bytes == 4096);
        CHECK(counted.loads.sectors_per_request() == Approx(sectors).margin(stride == 1 ? 0 : 1));
        CHECK(counted.stores.sectors_per_request() == 4);
    }
}

TEST_CASE("xray: a float4 is one request of 16 sectors", "[simt][xray]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    const Array<float> x(counting(1024)), y(1024);
    simt::reset_counters();
    REQUIRE(copy_vectors({.grid = 1, .block = 256}, x, y, 256) == cudaSuccess);
    REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
    const auto counted = counters_of("copy_vectors_kernel");
    CHECK(counted.loads.requests == 8);
    CHECK(counted.loads.sectors_per_request() == 16);
    CHECK(counted.stores.bytes == 4096);
}

TEST_CASE("xray: the padded tile has no bank conflicts, the other has 31 per read", "[simt][xray]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    const Array<float> x(counting(1024)), y(1024);
    for (const bool padded : {true, false}) {
        simt::reset_counters();
        REQUIRE(transpose({.block = dim3(32, 8), .shared = 33 * 32 * 4}, x, y, 32, 32, padded) ==
                cudaSuccess);
        REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
        const auto counted = counters_of("transpose_kernel");
        CHECK(counted.shared_requests == 64);
        CHECK(counted.bank_conflicts() == (padded ? 0u : 32u * 31u));
        CHECK(counted.loads.sectors_per_request() == 4);
        CHECK(counted.stores.sectors_per_request() == 4);
    }
}

TEST_CASE("xray: launches and calls are counted at every level", "[simt][xray]") {
    const FreshDevice device(simt::Xray::off);
    const Array<float> x(counting(64)), y(64);
    simt::reset_counters();
    for (int i = 0; i < 3; ++i) REQUIRE(scale({.grid = 2, .block = 32}, y, x, 2, 64) == cudaSuccess);
    REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
    const auto counted = counters_of("scale_kernel");
    CHECK(counted.launches == 3);
    CHECK(counted.blocks == 6);
    CHECK(counted.loads.requests == 0);
    uint64_t synchronised = 0;
    for (const auto& [name, count] : simt::api_calls())
        if (name == "cudaDeviceSynchronize") synchronised = count;
    CHECK(synchronised > 0);
    const auto since_start = [] {
        uint64_t sum = 0;
        for (const auto& [kernel, count] : simt::launches())
            if (kernel.find("::scale_kernel") != std::string::npos) sum += count;
        return sum;
    };
    const uint64_t before = since_start();
    CHECK(before >= 3);
    simt::reset_counters();
    CHECK(since_start() == before);
}

TEST_CASE("xray: the kernels of the program are known by name", "[simt][xray]") {
    const FreshDevice device(simt::Xray::off);
    const auto compiled = simt::compiled_kernels();
    const auto count = [&](const std::string& name) {
        return std::count_if(compiled.begin(), compiled.end(),
                             [&](auto& k) { return k.find(name) != std::string::npos; });
    };
    CHECK(count("::scale_kernel") == 1);
    CHECK(count("::multiply_kernel<") == 2);
    CHECK(count("known_kernel") == 0);
    simt::reset_counters();
    const Array<float> x(counting(64)), y(64);
    REQUIRE(scale({.grid = 2, .block = 32}, y, x, 2, 64) == cudaSuccess);
    REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
    for (const auto& counted : simt::counters())
        CHECK(std::find(compiled.begin(), compiled.end(), counted.kernel) != compiled.end());
}

namespace {
simt::LineCounters at_line(const std::string& file, int line) {
    for (const auto& counted : simt::line_counters())
        if (counted.file.ends_with("tests/simt/" + file) && counted.line == line) return counted;
    FAIL("nothing was counted at " << file << ':' << line);
    return {};
}
}  // namespace

TEST_CASE("xray: counters by line: sectors, divergence, atomics that meet", "[simt][xray]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    simt::reset_counters();
    const Array<float> x(counting(256)), y(std::vector<float>(256, 0));
    REQUIRE(copy({.grid = 2, .block = 80}, x, y) == cudaSuccess);  // 3 warps, the last one of 16
    const Array<unsigned> count(std::vector<unsigned>(1, 0));
    REQUIRE(count_in_block({.grid = 1, .block = 80}, count) == cudaSuccess);
    REQUIRE(divide_unless_zero({.grid = 1, .block = 64}, x, y) == cudaSuccess);
    REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
    const auto load = at_line("streams.cu", marked_lines("streams.cu", "stream: copy").at(0));
    CHECK_THAT(load.kernel, Catch::Matchers::ContainsSubstring("copy_kernel"));
    CHECK(load.requests == 6);
    CHECK(load.divergent == 0);  // the last warp has no more threads
    CHECK(load.bytes == 160 * 4);
    CHECK(load.sectors == 20);
    const auto atomic = at_line("races.cu", marked_lines("races.cu", "race: count_in_block").at(0));
    CHECK(atomic.atomics == 3);
    CHECK(atomic.collisions == 31 + 31 + 15);
    const auto some = at_line("streams.cu", marked_lines("streams.cu", "stream: divide_unless_zero").at(0));
    CHECK(some.requests == 2);
    CHECK(some.divergent == 1);  // x[0] is 0
    const std::string json = simt::line_counters_json();
    for (const std::string& part : {std::string("\"divergent\": 1"), std::string("\"collisions\": 77"),
                                    "\"line\": " + std::to_string(load.line)})
        CHECK_THAT(json, Catch::Matchers::ContainsSubstring(part));
    CHECK(json.front() == '[');
    CHECK(json.ends_with("}\n]\n"));
    simt::reset_counters();
    CHECK(simt::line_counters().empty());
}

}  // namespace lily::testing
