// SPDX-License-Identifier: MIT
#include "log.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>

#include "engine.h"

namespace simt {
namespace {

constexpr size_t kMostPerThread =
    1 << 16;  // of one thread between two barriers; what is beyond is not counted
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
unsigned passes(const Log::Access* const* lanes, unsigned n, unsigned& least) {
    const unsigned words = std::max(1u, static_cast<unsigned>(lanes[0]->bytes) / 4),
                   part = std::max(1u, kWarp / words);
    unsigned total = 0;
    for (unsigned first = 0; first < n; first += part) {
        Sorted<2 * kWarp> touched;
        for (unsigned i = first; i < std::min(n, first + part); ++i)
            for (unsigned w = 0; w < words && touched.count < 2 * kWarp; ++w)
                touched.add(lanes[i]->address / 4 + w);
        touched.finish();
        std::array<uint8_t, kBanks> bank{};
        for (unsigned i = 0; i < touched.count; ++i) ++bank[touched.values[i] % kBanks];
        total += *std::max_element(bank.begin(), bank.end());
        ++least;
    }
    return total;
}

unsigned sectors(const Log::Access* const* lanes, unsigned n) {
    Sorted<2 * kWarp> touched;
    for (unsigned i = 0; i < n; ++i) {
        touched.add(lanes[i]->address / 32);
        touched.add((lanes[i]->address + lanes[i]->bytes - 1) / 32);
    }
    touched.finish();
    return touched.count;
}

}  // namespace

void Log::add(unsigned thread, uintptr_t address, const void* site, size_t bytes, Kind kind) {
    if (threads_.empty()) threads_.resize(kMaxThreads);
    auto& accesses = threads_[thread];
    if (accesses.size() < kMostPerThread)
        accesses.push_back({address, static_cast<uint32_t>(reinterpret_cast<uintptr_t>(site)),
                            static_cast<uint16_t>(bytes), kind});
}

void Log::count(const Access* const* lanes, unsigned n) {
    uint64_t bytes = 0;
    for (unsigned i = 0; i < n; ++i) bytes += lanes[i]->bytes;
    const Kind kind = lanes[0]->kind;
    if (kind == atomic || kind == shared_atomic) {
        ++counted_.atomics;
    } else if (kind == shared) {
        unsigned least = 0;
        ++counted_.shared_requests;
        counted_.shared_passes += passes(lanes, n, least);
        counted_.shared_least += least;
    } else {
        Traffic& traffic = kind == load ? counted_.loads : counted_.stores;
        ++traffic.requests;
        traffic.bytes += bytes;
        traffic.sectors += sectors(lanes, n);
    }
}

// The threads ran one after the other; a warp's request is put together again from the accesses of its lanes
// by the same instruction, lane by lane in their order.
void Log::flush(Worker& worker) {
    if (threads_.empty()) return;
    for (unsigned first = 0; first < kMaxThreads; first += kWarp) {
        std::array<size_t, kWarp> at{};
        for (unsigned leader = 0; leader < kWarp;) {
            const auto& leading = threads_[first + leader];
            if (at[leader] == leading.size()) {
                ++leader;
                continue;
            }
            const Access& wanted = leading[at[leader]];
            std::array<const Access*, kWarp> group;
            unsigned n = 0;
            for (unsigned lane = leader; lane < kWarp; ++lane) {
                const auto& mine = threads_[first + lane];
                if (at[lane] == mine.size() || mine[at[lane]].site != wanted.site ||
                    mine[at[lane]].kind != wanted.kind)
                    continue;
                group[n++] = &mine[at[lane]++];
            }
            count(group.data(), n);
        }
    }
    forget();
    publish(worker);
}

void Log::forget() {
    for (auto& accesses : threads_) accesses.clear();
}

void Log::publish(const Worker& worker) {
    const std::lock_guard lock(g_mutex);
    Counters& sum = counters_of(worker.launch->function);
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

Counters& counters_of(const void* kernel) {
    static std::map<const void*, std::string> names;
    std::string& name = names[kernel];
    if (name.empty()) name = kernel_name(kernel);
    Counters& counters = g_counters[name];
    counters.kernel = name;
    return counters;
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
