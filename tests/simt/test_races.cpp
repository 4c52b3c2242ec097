// SPDX-License-Identifier: MIT
// Races, between blocks above all: each is reported with both accesses and with what would have ordered them,
// and the clean twin of the kernel stays silent.
#include "tests/simt/races.h"

#include <algorithm>

#include "tests/simt/gpu.h"

namespace lily::testing {
namespace {

#define NEEDS_XRAY() \
    if (!simt::instrumented()) SKIP("the kernels of this build are not instrumented")

bool is_marked(const std::string& file, int line, const std::string& name) {
    const auto lines = marked_lines("races.cu", "race: " + name);
    return file.ends_with("tests/simt/races.cu") &&
           std::find(lines.begin(), lines.end(), line) != lines.end();
}

// One report: a race, both of its lines marked with the name, in different threads.
simt::Fault check_race(const std::string& name) {
    CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
    const auto faults = simt::faults();
    REQUIRE(faults.size() == 1);
    const simt::Fault& race = faults[0];
    INFO(race.text);
    CHECK(race.kind == simt::FaultKind::race);
    CHECK_THAT(race.kernel, Catch::Matchers::ContainsSubstring(name + "_kernel"));
    CHECK(is_marked(race.file, race.line, name));
    CHECK(is_marked(race.other.file, race.other.line, name));
    CHECK(!(same(race.block, race.other.block) && same(race.thread, race.other.thread)));
    CHECK(race.remedy != "");
    for (const std::string& part : {"races.cu:" + std::to_string(race.line),
                                    "races.cu:" + std::to_string(race.other.line), race.remedy})
        CHECK_THAT(race.text, Catch::Matchers::ContainsSubstring(part));
    CHECK(cudaDeviceReset() == cudaSuccess);
    simt::reset();
    return race;
}
simt::Fault check_blocks_race(const std::string& name) {
    const simt::Fault race = check_race(name);
    INFO(race.text);
    CHECK(!same(race.block, race.other.block));
    return race;
}

void check_clean() {
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    CHECK(simt::last_report() == "");
    CHECK(cudaGetLastError() == cudaSuccess);
}

template <class T>
Array<T> zeros(size_t n) {
    return Array<T>(std::vector<T>(n, T{}));
}

}  // namespace

TEST_CASE("simt races: in place over the edge of a block", "[simt][races]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    const Array<float> x(counting(256));
    REQUIRE(neighbour_sum({.grid = 4, .block = 64}, x, x, 256) == cudaSuccess);
    const auto race = check_blocks_race("neighbour_sum");
    CHECK_THAT(race.text, Catch::Matchers::ContainsSubstring("which is byte"));
    const Array<float> a(counting(256)), y(256);
    REQUIRE(neighbour_sum({.grid = 4, .block = 64}, a, y, 256) == cudaSuccess);
    check_clean();
    REQUIRE(neighbour_sum({.grid = 1, .block = 256}, a, a, 256) == cudaSuccess);  // one block has a barrier
    check_clean();
}

TEST_CASE("simt races: a barrier of the block taken for one of the grid", "[simt][races]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    const Shape shape{.grid = 4, .block = 64};
    {
        const Array<float> x(counting(256)), y = zeros<float>(256), z(256);
        REQUIRE(copy_and_reverse(shape, x, y, z, Part::both) == cudaSuccess);
        check_blocks_race("copy_and_reverse");
    }
    const Array<float> x(counting(256)), y = zeros<float>(256), z(256);
    REQUIRE(copy_and_reverse(shape, x, y, z, Part::first) == cudaSuccess);
    REQUIRE(copy_and_reverse(shape, x, y, z, Part::second) == cudaSuccess);
    check_clean();
    CHECK(z.values()[0] == 255);
}

TEST_CASE("simt races: an exchange with the maximum", "[simt][races]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    for (const unsigned grid : {1u, 8u}) {
        const Array<float> x(counting(512)), y = zeros<float>(1);
        REQUIRE(exchange_max({.grid = grid, .block = 64}, x, y, true) == cudaSuccess);
        check_race("exchange_max");
    }
    const Array<float> x(counting(512)), y = zeros<float>(1);
    REQUIRE(exchange_max({.grid = 8, .block = 64}, x, y, false) == cudaSuccess);
    check_clean();
    CHECK(y.values()[0] == 511);
}

TEST_CASE("simt races: the last block adds up", "[simt][races]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    const auto run = [](Fence fence, bool take_ticket) {
        const Array<float> partial = zeros<float>(50), y = zeros<float>(1);
        const Array<unsigned> ticket = zeros<unsigned>(1);
        REQUIRE(last_block_adds({.grid = 50, .block = 64}, partial, ticket, y, fence, take_ticket) ==
                cudaSuccess);
        if (fence == Fence::device && take_ticket) {
            check_clean();
            CHECK(y.values()[0] == 1225);
            return;
        }
        const auto race = check_blocks_race("last_block_adds");
        CHECK_THAT(race.remedy, Catch::Matchers::ContainsSubstring("__threadfence()"));
    };
    for (int round = 0; round < 5; ++round) {
        run(Fence::none, true);
        run(Fence::block, true);
        run(Fence::device, false);
        run(Fence::device, true);
    }
}

TEST_CASE("simt races: what all threads of a block have written is behind one ticket", "[simt][races]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    const auto run = [](bool barrier, bool all_fence) {
        const Array<float> partial = zeros<float>(12 * 96), y = zeros<float>(1);
        const Array<unsigned> ticket = zeros<unsigned>(1);
        REQUIRE(last_block_adds_all({.grid = 12, .block = 96}, partial, ticket, y, barrier, all_fence) ==
                cudaSuccess);
        if (barrier) {
            check_clean();
            CHECK(y.values()[0] == 12 * 96);
        } else {
            check_blocks_race("last_block_adds_all");
        }
    };
    for (const bool barrier : {false, true})
        for (const bool all_fence : {false, true}) run(barrier, all_fence);
}

TEST_CASE("simt races: data and a flag", "[simt][races]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    const struct {
        Flag how;
        Fence fence;
        bool fence_after, clean;
    } cases[] = {
        {Flag::is_volatile, Fence::device, true, true}, {Flag::is_volatile, Fence::none, true, false},
        {Flag::is_volatile, Fence::block, true, false}, {Flag::exchange, Fence::device, true, true},
        {Flag::exchange, Fence::device, false, false},  // the reader may have read the data before the flag
        {Flag::exchange, Fence::none, true, false},     {Flag::exchange, Fence::block, true, false},
        {Flag::ref, Fence::none, false, true},          {Flag::ref_relaxed, Fence::none, true, false},
        {Flag::ref_relaxed, Fence::device, true, true},
    };
    for (const auto& c : cases) {
        INFO("flag " << static_cast<int>(c.how) << ", fence " << static_cast<int>(c.fence) << ", after "
                     << c.fence_after);
        const Array<float> data = zeros<float>(1), y(1);
        const Array<unsigned> flag = zeros<unsigned>(1);
        REQUIRE(message({.grid = 2, .block = 32}, data, flag, y, c.how, c.fence, c.fence_after) ==
                cudaSuccess);
        if (c.clean) {
            check_clean();
            CHECK(y.values()[0] == 5);
        } else {
            check_blocks_race("message");
        }
    }
}

TEST_CASE("simt races: an atomic of block scope is none for another block", "[simt][races]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    {
        const Array<unsigned> y = zeros<unsigned>(1);
        REQUIRE(count_in_block({.grid = 2, .block = 64}, y) == cudaSuccess);
        const auto race = check_blocks_race("count_in_block");
        CHECK_THAT(race.text, Catch::Matchers::ContainsSubstring("an atomic of block scope"));
        CHECK_THAT(race.remedy, Catch::Matchers::ContainsSubstring("device scope"));
    }
    const Array<unsigned> y = zeros<unsigned>(1);
    REQUIRE(count_in_block({.grid = 1, .block = 64}, y) == cudaSuccess);
    check_clean();
    CHECK(y.values()[0] == 64);
}

TEST_CASE("simt races: what a block has acquired it hands on", "[simt][races]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    for (const bool fence : {false, true}) {
        const Array<float> data = zeros<float>(1), y(1);
        const Array<unsigned> flags = zeros<unsigned>(3);
        REQUIRE(relay({.grid = 3, .block = 32}, data, flags, y, fence) == cudaSuccess);
        if (fence)
            check_clean();
        else
            check_blocks_race("relay");
    }
}

TEST_CASE("simt races: two blocks that write the same value race", "[simt][races]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    {
        const Array<int> y = zeros<int>(1);
        REQUIRE(same_value({.grid = 3, .block = 32}, y, false) == cudaSuccess);
        check_blocks_race("same_value");
    }
    const Array<int> y = zeros<int>(1);
    REQUIRE(same_value({.grid = 3, .block = 32}, y, true) == cudaSuccess);
    check_clean();
}

TEST_CASE("simt races: a byte of a word, the others being other threads'", "[simt][races]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    for (const bool shared : {false, true})
        for (const bool barrier : {false, true}) {
            const Array<unsigned char> x = zeros<unsigned char>(64), y(1);
            REQUIRE(bytes({.block = 64}, x, y, barrier, shared) == cudaSuccess);
            if (barrier)
                check_clean();
            else
                check_race("bytes");
        }
}

TEST_CASE("simt races: after a thousand barriers nothing old counts, and nothing new is missed",
          "[simt][races]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    for (const int rounds : {2, 1024, 1025, 2048, 2049}) {
        const Array<int> y = zeros<int>(128);
        REQUIRE(many_barriers({.block = 64}, y, rounds, false) == cudaSuccess);
        check_clean();
    }
    const Array<int> y = zeros<int>(128);
    REQUIRE(many_barriers({.block = 64}, y, 1, false) == cudaSuccess);
    check_race("many_barriers");
}

TEST_CASE("simt races: volatile does not order the lanes of a warp", "[simt][races]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    {
        const Array<float> x(counting(32)), y(1);
        REQUIRE(volatile_reduction({.block = 32}, x, y, false) == cudaSuccess);
        CHECK(cudaDeviceSynchronize() != cudaSuccess);
        simt::reset();
    }
    const Array<float> x(counting(32)), y(1);
    REQUIRE(volatile_reduction({.block = 32}, x, y, true) == cudaSuccess);
    check_clean();
    CHECK(y.values()[0] == 496);
}

TEST_CASE("simt races: a write after all blocks have read", "[simt][races]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    for (const unsigned grid : {2u, 5u, 40u}) {
        const Array<float> x(counting(4)), z(64 * grid);
        REQUIRE(write_after_read({.grid = grid, .block = 64}, x, x, z) == cudaSuccess);
        check_race("write_after_read");
    }
    const Array<float> x(counting(4)), y(1), z(320);
    REQUIRE(write_after_read({.grid = 5, .block = 64}, x, y, z) == cudaSuccess);
    check_clean();
}

TEST_CASE("simt races: lanes that go different ways are recorded whole", "[simt][races][xray]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    const Array<float> x(counting(100 * 32)), y(100);
    simt::reset_counters();
    REQUIRE(divergent_counts({.grid = 2, .block = 64}, x, y, 100) == cudaSuccess);
    check_clean();
    uint64_t loads = 0, wanted = 0;
    for (const auto& counters : simt::counters()) loads += counters.loads.bytes / 4;
    for (int i = 0; i < 100; ++i)
        for (int k = 0; k <= i % 32; ++k) wanted += (i + k) % 3 == 0 ? 2 : 1;
    CHECK(loads == wanted);
}

TEST_CASE("simt races: the shadow memory has a limit, which is said once", "[simt][races]") {
    NEEDS_XRAY();
    const FreshDevice device(simt::Xray::full);
    const size_t n = 1 << 20;
    const Array<float> x(counting(n)), y(n);
    simt::set_shadow_limit(4 << 20);
    for (int round = 0; round < 2; ++round)
        REQUIRE(scale({.grid = 64, .block = 256}, y, x, 2, static_cast<int>(n)) == cudaSuccess);
    check_clean();
    CHECK(simt::shadow_used() <= 4 << 20);
    REQUIRE(simt::notices().size() == 1);
    CHECK_THAT(simt::notices()[0], Catch::Matchers::ContainsSubstring("limit of 4 MiB"));
    CHECK_THAT(simt::notices()[0], Catch::Matchers::ContainsSubstring("LILY_SIMT_SHADOW"));
    simt::set_shadow_limit(0);
    CHECK(cudaFree(x) == cudaSuccess);
    CHECK(cudaFree(y) == cudaSuccess);
}

}  // namespace lily::testing
