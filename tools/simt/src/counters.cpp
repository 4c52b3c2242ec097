// SPDX-License-Identifier: MIT
#include "counters.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>

#include "engine.h"

namespace simt {
namespace {

constexpr unsigned kBanks = 32;

std::mutex g_mutex;
std::map<std::string, Counters> g_counters;
std::map<std::string, uint64_t> g_launches;  // these are never reset

// A set of numbers that mostly come in order.
template <size_t N>
struct Sorted {
    std::array<uintptr_t, N> values;
    unsigned count = 0;
    bool ordered = true;

    void add(uintptr_t value) {
        if (count > 0 && value == values[count - 1]) return;
        ordered &= count == 0 || value > values[count - 1];
        values[count++] = value;
    }
    void finish() {
        if (ordered) return;
        std::sort(values.begin(), values.begin() + count);
        count = static_cast<unsigned>(std::unique(values.begin(), values.begin() + count) - values.begin());
    }
};

// Passes of one request to shared memory: wide accesses go in parts of the warp, and each bank gives one word
// per pass.
unsigned passes(const uintptr_t* lanes, unsigned n, size_t bytes, unsigned& least) {
    const unsigned words = std::max(1u, static_cast<unsigned>(bytes) / 4), part = std::max(1u, kWarp / words);
    unsigned total = 0;
    for (unsigned first = 0; first < n; first += part) {
        Sorted<2 * kWarp> touched;
        for (unsigned i = first; i < std::min(n, first + part); ++i)
            for (unsigned w = 0; w < words && touched.count < 2 * kWarp; ++w) touched.add(lanes[i] / 4 + w);
        touched.finish();
        std::array<uint8_t, kBanks> bank{};
        for (unsigned i = 0; i < touched.count; ++i) ++bank[touched.values[i] % kBanks];
        total += *std::max_element(bank.begin(), bank.end());
        ++least;
    }
    return total;
}

unsigned sectors(const uintptr_t* lanes, unsigned n, size_t bytes) {
    Sorted<2 * kWarp> touched;
    for (unsigned i = 0; i < n; ++i) {
        touched.add(lanes[i] / 32);
        touched.add((lanes[i] + bytes - 1) / 32);
    }
    touched.finish();
    return touched.count;
}

bool is_atomic(const Record& record) {
    return record.access() == Access::atomic_load || record.access() == Access::atomic_store ||
           record.access() == Access::atomic_update;
}

Counters& counters_of(const void* kernel) {  // under the lock
    static std::map<const void*, std::string> names;
    std::string& name = names[kernel];
    if (name.empty()) name = kernel_name(kernel);
    Counters& counters = g_counters[name];
    counters.kernel = name;
    return counters;
}

}  // namespace

void Counting::begin_launch(unsigned width) {
    if (width != width_) memo_.fill({});  // what a formula of x and y costs depends on the shape of a warp
    width_ = width;
}

void Counting::count(const Record& record, const Cost& cost) {
    if (is_atomic(record)) {
        ++counted_.atomics;
    } else if (record.shared()) {
        ++counted_.shared_requests;
        counted_.shared_passes += cost.passes;
        counted_.shared_least += cost.least;
    } else {
        Traffic& traffic = reads(record.access()) ? counted_.loads : counted_.stores;
        ++traffic.requests;
        traffic.bytes += cost.bytes;
        traffic.sectors += cost.sectors;
    }
}

// What the cost of a regular record depends on: the banks and sectors repeat every 128 bytes.
Counting::Memo& Counting::memo_of(const Record& record, uint64_t (&pattern)[2]) {
    pattern[0] = uint64_t{static_cast<uint32_t>(record.dx)} << 32 | static_cast<uint32_t>(record.dy);
    pattern[1] = uint64_t{record.mask} << 32 | record.base % 128 << 16 | record.what >> 32 << 2 |
                 (record.shared() ? 3 : 1);
    const uint64_t mixed = (pattern[0] ^ pattern[1] * 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;
    return memo_[mixed >> 54];
}

bool Counting::known(const Record& record) {
    if ((record.base & kIrregular) != 0) return false;
    uint64_t pattern[2];
    const Memo& memo = memo_of(record, pattern);
    if (!std::equal(pattern, pattern + 2, memo.pattern)) return false;
    count(record, memo.cost);
    return true;
}

void Counting::add(const Record& record, const LaneAddresses& addresses) {
    uintptr_t lanes[kWarp];
    unsigned n = 0;
    for (uint32_t rest = record.mask; rest != 0; rest &= rest - 1)
        lanes[n++] = addresses.at[__builtin_ctz(rest)];
    Cost cost;
    cost.bytes = static_cast<uint32_t>(n * record.bytes());
    if (record.shared() && !is_atomic(record)) cost.passes = passes(lanes, n, record.bytes(), cost.least);
    if (!record.shared() && !is_atomic(record)) cost.sectors = sectors(lanes, n, record.bytes());
    count(record, cost);
    if ((record.base & kIrregular) != 0) return;
    uint64_t pattern[2];
    Memo& memo = memo_of(record, pattern);
    std::copy(pattern, pattern + 2, memo.pattern);
    memo.cost = cost;
}

void Counting::publish(const void* kernel) {
    const std::lock_guard lock(g_mutex);
    Counters& sum = counters_of(kernel);
    const auto add = [](Traffic& to, const Traffic& from) {
        to.requests += from.requests;
        to.bytes += from.bytes;
        to.sectors += from.sectors;
    };
    add(sum.loads, counted_.loads);
    add(sum.stores, counted_.stores);
    sum.atomics += counted_.atomics;
    sum.shared_requests += counted_.shared_requests;
    sum.shared_passes += counted_.shared_passes;
    sum.shared_least += counted_.shared_least;
    counted_ = {};
}

void count_launch(const void* kernel, uint64_t blocks, uint64_t threads) {
    const std::lock_guard lock(g_mutex);
    Counters& counters = counters_of(kernel);
    ++counters.launches;
    ++g_launches[counters.kernel];
    counters.blocks += blocks;
    counters.threads += threads;
}

std::vector<Counters> counters() {
    const std::lock_guard lock(g_mutex);
    std::vector<Counters> result;
    for (const auto& [name, counters] : g_counters) result.push_back(counters);
    return result;
}

std::vector<std::pair<std::string, uint64_t>> launches() {
    const std::lock_guard lock(g_mutex);
    return {g_launches.begin(), g_launches.end()};
}

void reset_counters() {
    const std::lock_guard lock(g_mutex);
    g_counters.clear();
}

}  // namespace simt
