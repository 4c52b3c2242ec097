// SPDX-License-Identifier: MIT
#include "schedule.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <numeric>
#include <utility>

#include "simt/simt.h"

namespace simt {
namespace {

constexpr unsigned kLanes = 32;

std::atomic<uint64_t>& chosen() {
    static std::atomic<uint64_t> seed = [] {
        const char* asked = std::getenv("LILY_SIMT_SCHEDULE");
        return asked == nullptr ? uint64_t{0} : static_cast<uint64_t>(std::strtoull(asked, nullptr, 10));
    }();
    return seed;
}

}  // namespace

void set_schedule(uint64_t seed) { chosen() = seed; }
uint64_t schedule() { return chosen(); }

// Steele's splitmix64
uint64_t Schedule::draw() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

uint64_t Schedule::place(uint64_t seed, uint64_t index, uint64_t n) {
    if (seed == 0 || n < 2) return index;
    Schedule numbers(seed);
    const uint64_t first = numbers.draw() % n;
    uint64_t step = numbers.draw() % n;
    while (std::gcd(step, n) != 1) step = (step + 1) % n;  // 1 at the latest
    return static_cast<uint64_t>((static_cast<unsigned __int128>(index) * step + first) % n);
}

void Schedule::shuffle(std::vector<unsigned>& threads, unsigned count) {
    threads.clear();
    std::vector<unsigned> warps((count + kLanes - 1) / kLanes);
    std::iota(warps.begin(), warps.end(), 0u);
    const auto mix = [this](auto begin, uint64_t n) {
        for (uint64_t i = n; i > 1; --i) std::swap(begin[i - 1], begin[draw() % i]);
    };
    mix(warps.begin(), warps.size());
    for (const unsigned warp : warps) {
        const size_t begin = threads.size();
        for (unsigned i = warp * kLanes; i < std::min(count, (warp + 1) * kLanes); ++i) threads.push_back(i);
        mix(threads.begin() + static_cast<ptrdiff_t>(begin), threads.size() - begin);
    }
}

}  // namespace simt
