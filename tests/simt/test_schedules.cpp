// SPDX-License-Identifier: MIT
// Orders of threads and blocks other than the usual one: what depends on them shows, and what does not is
// bit-equal.
#include <algorithm>
#include <numeric>
#include <set>

#include "tests/simt/gpu.h"
#include "tests/simt/races.h"

namespace lily::testing {
namespace {

// While one lives, launches run in that order.
struct InOrder {
    explicit InOrder(uint64_t seed) { simt::set_schedule(seed); }
    ~InOrder() { simt::set_schedule(0); }
    InOrder(const InOrder&) = delete;
    InOrder& operator=(const InOrder&) = delete;
};

std::vector<int> order_of(uint64_t seed, unsigned grid, unsigned block) {
    const InOrder order(seed);
    const size_t n = size_t{grid} * block;
    const Array<unsigned> count(std::vector<unsigned>(1, 0));
    const Array<int> y(std::vector<int>(n, -1));
    REQUIRE(arrivals({.grid = grid, .block = block}, count, y) == cudaSuccess);
    return y.values();
}

}  // namespace

TEST_CASE("simt schedules: each thread runs once, in an order of the number's", "[simt]") {
    const FreshDevice device;
    std::vector<int> usual(3 * 96);
    std::iota(usual.begin(), usual.end(), 0);
    CHECK(order_of(0, 1, 288) == usual);
    std::set<std::vector<int>> orders;
    for (uint64_t seed = 1; seed <= 8; ++seed) {
        auto order = order_of(seed, 1, 288);
        CHECK(order == order_of(seed, 1, 288));  // one block: no other OS thread mixes in
        orders.insert(order);
        std::sort(order.begin(), order.end());
        CHECK(order == usual);
        auto blocks = order_of(seed, 40, 32);
        std::sort(blocks.begin(), blocks.end());
        CHECK(blocks[40 * 32 - 1] == 40 * 32 - 1);
        CHECK(std::adjacent_find(blocks.begin(), blocks.end()) == blocks.end());
    }
    CHECK(orders.size() == 8);
}

TEST_CASE("simt schedules: barriers, shuffles and tickets hold in every order", "[simt]") {
    for (const simt::Xray level : {simt::Xray::off, simt::Xray::full})
        for (uint64_t seed = 0; seed < 8; ++seed) {
            const FreshDevice device(level);
            const InOrder order(seed);
            INFO("level " << static_cast<int>(level) << ", schedule " << seed);
            const Array<float> x(counting(3000)), y(4);
            REQUIRE(block_sum({.grid = 4, .block = 256}, x, y, 3000) == cudaSuccess);
            const auto sums = y.values();
            CHECK(sums[0] + sums[1] + sums[2] + sums[3] == 3 * 499500);
            const Array<float> ones(std::vector<float>(32 * 50, 1)), partial(50), total(1);
            const Array<unsigned> ticket(std::vector<unsigned>(1, 0));
            REQUIRE(last_block_sum({.grid = 50, .block = 32}, ones, partial, ticket, total) == cudaSuccess);
            CHECK(total.values()[0] == 1600);
            const Array<int> exchanged(64);
            REQUIRE(warp_exchange({.block = 64}, exchanged) == cudaSuccess);
            CHECK(exchanged.values()[63] == 34);
            CHECK(simt::last_report() == "");
        }
}

}  // namespace lily::testing
