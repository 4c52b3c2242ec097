// SPDX-License-Identifier: MIT
#include "counters.h"

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <tuple>

#include "engine.h"
#include "race_report.h"
#include "shadow.h"

namespace simt {
namespace {

constexpr unsigned kBanks = 32;

std::mutex g_mutex;
std::map<std::string, Counters> g_counters;
std::map<std::string, uint64_t> g_launches;                        // these are never reset
std::map<std::pair<const void*, uint32_t>, LineCounters> g_lines;  // by kernel and number of the call site

constexpr std::pair<const char*, uint64_t LineCounters::*> kMembers[] = {
    {"requests", &LineCounters::requests},
    {"divergent", &LineCounters::divergent},
    {"bytes", &LineCounters::bytes},
    {"sectors", &LineCounters::sectors},
    {"shared_passes", &LineCounters::shared_passes},
    {"shared_least", &LineCounters::shared_least},
    {"atomics", &LineCounters::atomics},
    {"collisions", &LineCounters::collisions},
};

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

// Lanes of an atomic that find another lane at their address, and have to wait for it.
unsigned collisions(const uintptr_t* lanes, unsigned n) {
    std::array<uintptr_t, kWarp> sorted;
    std::copy(lanes, lanes + n, sorted.begin());
    std::sort(sorted.begin(), sorted.begin() + n);
    return n - static_cast<unsigned>(std::unique(sorted.begin(), sorted.begin() + n) - sorted.begin());
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

void Counting::count(const Record& record, const Cost& cost, uint32_t line, uint32_t lanes) {
    if (line >= lines_.size()) lines_.resize(line + 1);
    LineCounters& at = lines_[line];
    ++at.requests;
    at.divergent += record.mask != lanes;
    if (!record.shared()) at.bytes += cost.bytes;
    at.sectors += cost.sectors;
    at.shared_passes += is_atomic(record) ? 0 : cost.passes;
    at.shared_least += cost.least;
    at.atomics += is_atomic(record);
    at.collisions += is_atomic(record) ? cost.passes : 0;
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

bool Counting::known(const Record& record, uint32_t line, uint32_t lanes) {
    if ((record.base & kIrregular) != 0) return false;
    uint64_t pattern[2];
    const Memo& memo = memo_of(record, pattern);
    if (!std::equal(pattern, pattern + 2, memo.pattern)) return false;
    count(record, memo.cost, line, lanes);
    return true;
}

void Counting::add(const Record& record, const LaneAddresses& addresses, uint32_t line, uint32_t all) {
    uintptr_t lanes[kWarp];
    unsigned n = 0;
    for (uint32_t rest = record.mask; rest != 0; rest &= rest - 1)
        lanes[n++] = addresses.at[__builtin_ctz(rest)];
    Cost cost;
    cost.bytes = static_cast<uint32_t>(n * record.bytes());
    if (record.shared() && !is_atomic(record)) cost.passes = passes(lanes, n, record.bytes(), cost.least);
    if (!record.shared() && !is_atomic(record)) cost.sectors = sectors(lanes, n, record.bytes());
    if (is_atomic(record)) cost.passes = collisions(lanes, n);
    count(record, cost, line, all);
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
    for (uint32_t number = 0; number < lines_.size(); ++number) {
        const LineCounters& from = lines_[number];
        if (from.requests == 0) continue;
        LineCounters& to = g_lines[{kernel, number}];
        for (const auto& member : kMembers) to.*(member.second) += from.*(member.second);
    }
    lines_.clear();
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

std::vector<LineCounters> line_counters() {
    const std::lock_guard lock(g_mutex);
    std::map<std::tuple<std::string, std::string, int>, LineCounters>
        by_line;  // several call sites share one
    for (const auto& [key, from] : g_lines) {
        const Frame at = locate(whole_site(key.first, site_of_number(key.second)));
        LineCounters& to = by_line[{kernel_name(key.first), at.file, at.line}];
        for (const auto& member : kMembers) to.*(member.second) += from.*(member.second);
    }
    std::vector<LineCounters> result;
    for (auto& [key, counted] : by_line) {
        std::tie(counted.kernel, counted.file, counted.line) = key;
        result.push_back(std::move(counted));
    }
    return result;
}

std::string line_counters_json() {
    const auto quoted = [](const std::string& text) {
        std::string result = "\"";
        for (const char c : text) result += c == '"' || c == '\\' ? std::string("\\") + c : std::string(1, c);
        return result + "\"";
    };
    std::string json = "[";
    for (const LineCounters& counted : line_counters()) {
        json += (json.size() == 1 ? "\n" : ",\n") + ("  {\"kernel\": " + quoted(counted.kernel)) +
                ", \"file\": " + quoted(counted.file) + ", \"line\": " + std::to_string(counted.line);
        for (const auto& [name, member] : kMembers)
            json += std::string(", \"") + name + "\": " + std::to_string(counted.*member);
        json += "}";
    }
    return json + "\n]\n";
}

std::vector<std::pair<std::string, uint64_t>> launches() {
    const std::lock_guard lock(g_mutex);
    return {g_launches.begin(), g_launches.end()};
}

void reset_counters() {
    const std::lock_guard lock(g_mutex);
    g_counters.clear();
    g_lines.clear();
}

}  // namespace simt
