// SPDX-License-Identifier: MIT
#include "record.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <new>

#include "arena.h"
#include "counters.h"
#include "engine.h"
#include "races.h"
#include "shadow.h"

namespace simt {
namespace {

constexpr uint32_t kMost = 1 << 16;  // records of a warp between two barriers; what is beyond is not counted
constexpr uint32_t kWindow = 32;  // how far a lane looks for its instruction behind those that it leaves out
constexpr uint32_t kKeep = 256;   // records that stay as patterns, however few of them are used

uint32_t row_of(const Worker& worker, unsigned lane, uint32_t mask) {
    uint32_t row = 0;
    for (uint32_t rest = mask; rest != 0; rest &= rest - 1) {
        const auto other = static_cast<unsigned>(__builtin_ctz(rest));
        if (worker.lane_at[other].y == worker.lane_at[lane].y) row |= 1u << other;
    }
    return row;
}

struct Piece {
    uintptr_t begin;
    size_t bytes;
};
Piece piece_of(const Worker& worker, Memory memory) {
    if (memory == Memory::global) return {g_shadow.base, g_shadow.size};
    if (memory == Memory::locals) return {worker.locals, worker.locals_bytes};
    return {worker.shared, worker.shared_bytes};
}

// Do all lanes of the warp stay within the memory that the record is of, if its first lane has this address?
bool stays(const Worker& worker, const Record& record, uintptr_t first) {
    const Piece piece = piece_of(worker, record.memory);
    const size_t below = (size_t{1} << record.below) - 1, above = size_t{1} << record.above;
    return first - piece.begin >= below && first - piece.begin + above <= piece.bytes;
}

// The extremes of the formula are at the corners.
void measure(const Worker& worker, Record& record) {
    const LaneAt first = worker.lane_at[0], last = worker.lane_at[kWarp - 1];
    const bool one_row = first.y == last.y;
    const int32_t left = one_row ? first.x : 0;
    const int32_t right = one_row ? last.x : static_cast<int32_t>(worker.launch->block.x) - 1;
    int64_t least = 0, most = 0;
    for (const int64_t x : {left - first.x, right - first.x})
        for (const int64_t y : {int64_t{0}, int64_t{last.y - first.y}}) {
            least = std::min(least, x * record.dx + y * record.dy);
            most = std::max(most, x * record.dx + y * record.dy);
        }
    record.below = static_cast<uint8_t>(std::bit_width(static_cast<uint64_t>(-least)));
    record.above = static_cast<uint8_t>(std::bit_width(static_cast<uint64_t>(most) + record.bytes() - 1));
}

// The first lane: what the pattern was before is likely to go on from another base.
void start(const Worker& worker, Record& record, uintptr_t address) {
    const LaneAt self = worker.lane_at[worker.thread % kWarp];
    if ((record.base & kIrregular) == 0) {
        record.base =
            address - static_cast<uintptr_t>(int64_t{self.x} * record.dx + int64_t{self.y} * record.dy);
        if (stays(worker, record, predict(record, worker.lane_at[0]))) return;
    }
    record.base = address;
    record.dx = record.dy = 0;
    measure(worker, record);
}

// The lanes so far agree with base + x dx + y dy; this one does not. Can the formula still be made to fit?
bool refit(const Worker& worker, Record& record, unsigned lane, uintptr_t address) {
    const auto leader = static_cast<unsigned>(__builtin_ctz(record.mask));
    const LaneAt self = worker.lane_at[lane], first = worker.lane_at[leader];
    const bool along_x = self.y == first.y;
    const bool open =
        along_x ? record.mask == 1u << leader : row_of(worker, leader, record.mask) == record.mask;
    if (!open) return false;
    const int64_t steps = along_x ? self.x - first.x : self.y - first.y;
    const auto off = static_cast<int64_t>(address - predict(record, self));
    int32_t& kept = along_x ? record.dx : record.dy;
    const int64_t step = off / steps, changed = kept + step;
    if (off % steps != 0 || changed != static_cast<int32_t>(changed) ||
        changed % static_cast<int64_t>(record.bytes()) != 0)  // all addresses of a formula are aligned
        return false;
    Record fitted = record;
    (along_x ? fitted.dx : fitted.dy) = static_cast<int32_t>(changed);
    fitted.base -= static_cast<uintptr_t>((along_x ? first.x : first.y) * step);
    measure(worker, fitted);
    if (!stays(worker, fitted, predict(fitted, worker.lane_at[0]))) return false;
    record = fitted;
    return true;
}

void join(Worker& worker, Records& list, Record& record, uintptr_t address) {
    const unsigned lane = worker.thread % kWarp;
    if (record.mask == 0) {
        start(worker, record, address);
    } else if ((record.base & kIrregular) != 0) {
        list.addresses[record.base & ~kIrregular].at[lane] = address;
    } else if (predict(record, worker.lane_at[lane]) != address && !refit(worker, record, lane, address)) {
        LaneAddresses addresses;
        for (uint32_t rest = record.mask; rest != 0; rest &= rest - 1) {
            const auto other = static_cast<unsigned>(__builtin_ctz(rest));
            addresses.at[other] = predict(record, worker.lane_at[other]);
        }
        addresses.at[lane] = address;
        record.base = kIrregular | list.addresses.size();
        record.dx = record.dy = 0;
        list.addresses.push_back(addresses);
    }
    record.mask |= worker.lane_bit;
}

// What a warp's lanes did in one record: their addresses, lane by lane.
void addresses_of(const Worker& worker, unsigned warp, const Records& list, const Record& record,
                  LaneAddresses& to) {
    if ((record.base & kIrregular) != 0) {
        to = list.addresses[record.base & ~kIrregular];
        return;
    }
    for (uint32_t rest = record.mask; rest != 0; rest &= rest - 1) {
        const auto lane = static_cast<unsigned>(__builtin_ctz(rest));
        to.at[lane] = predict(record, worker.lanes_at[warp * kWarp + lane]);
    }
}

void each_record(Worker& worker, unsigned warp, bool count) {
    Records& list = *worker.lists[warp];
    LaneAddresses addresses;
    RaceCheck check(worker, warp);
    const unsigned left = worker.threads_in_block() - warp * kWarp;
    const uint32_t lanes = left >= kWarp ? ~0u : (1u << left) - 1;
    for (uint32_t i = 1; i < list.size; ++i) {
        const Record& record = list.data[i];
        if (record.mask == 0) continue;
        const uint32_t fresh = record.mask & ~list.links[i].raced;
        if (fresh != 0) {
            const bool irregular = (record.base & kIrregular) != 0;
            if (irregular || !check.regular(record, fresh)) {
                addresses_of(worker, warp, list, record, addresses);
                check.irregular(record, fresh, addresses);
            }
            list.links[i].raced = record.mask;
        }
        if (count) {
            const uint32_t line = site_number(worker, record.site());
            if (worker.counting->known(record, line, lanes)) continue;
            addresses_of(worker, warp, list, record, addresses);
            worker.counting->add(record, addresses, line, lanes);
        }
    }
}

}  // namespace

Cursor nowhere() {
    static Record none{kIrregular, 0, 0, 0, 0, Memory::global, 0, 0};
    return {&none, &none, &none};
}

Records::Records() : links(1) {
    void* memory = mmap(nullptr, sizeof(Record) * (kMost + 1), PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    data = static_cast<Record*>(memory);
    clear();
}

Records::~Records() { munmap(data, sizeof(Record) * (kMost + 1)); }

void Records::clear() {
    size = 1;
    start = 0;
    links.resize(1);
    links[0] = {};
    addresses.clear();
    data[1].what = 0;
    std::fill(cursors, cursors + 32, Cursor{});
}

void Records::finish() {
    uint32_t used = 0;
    for (uint32_t i = 1; i < size; ++i) {
        used += data[i].mask != 0;
        data[i].mask = links[i].raced = 0;
    }
    if (size > kKeep && used < size / 4) return clear();
    start = 0;
    addresses.clear();
    std::fill(cursors, cursors + 32, Cursor{});
}

// The record for this access, behind the one the lane met last: what followed that one in other lanes, else
// further on (the lane leaves something out), else a new one.
static uint32_t find_record(Worker& worker, Records& list, uint32_t last, uint64_t what, Memory memory) {
    const auto fits = [&](uint32_t i) {
        const Record& record = list.data[i];
        return record.what == what && record.memory == memory && (record.mask & worker.lane_bit) == 0;
    };
    const uint32_t next = list.links[last].next;
    if (next != 0 && fits(next)) return next;
    for (uint32_t other = list.links[last].other; other != 0; other = list.links[other].sibling)
        if (fits(other)) return other;
    uint32_t ahead = next;
    for (uint32_t i = 0; i < kWindow && ahead != 0; ++i) {
        ahead = list.links[ahead].next;
        if (ahead != 0 && fits(ahead)) return ahead;
    }
    if (list.size == kMost) return 0;
    const uint32_t index = list.size++;
    list.data[index] = {0, what, 0, 0, 0, memory, 0, 0};
    list.data[index + 1].what = 0;
    list.links.emplace_back();
    if (next == 0) {
        list.links[last].next = index;
    } else {  // the other lanes did something else here, which may still come
        list.links[index].next = next;
        list.links[index].sibling = list.links[last].other;
        list.links[last].other = index;
    }
    return index;
}

void record_slowly(Worker& worker, uintptr_t address, uint64_t what, Memory memory) {
    const InRuntime runtime;
    if (worker.list == nullptr) worker.begin_list();
    Records& list = *worker.list;
    Cursor& cursor = worker.cursor;
    const Record* last = cursor.expected == cursor.sent_to ? cursor.last : cursor.expected - 1;
    Record* found = cursor.expected;
    if (found == list.data || found->what != what || found->memory != memory ||
        (found->mask & worker.lane_bit) != 0) {
        const uint32_t index =
            find_record(worker, list, static_cast<uint32_t>(last - list.data), what, memory);
        if (index == 0) {
            const Record alone{address, what, 0, 0, worker.lane_bit, memory, 0, 0};
            LaneAddresses addresses;
            addresses.at[worker.thread % kWarp] = address;
            RaceCheck(worker, worker.thread / kWarp).irregular(alone, worker.lane_bit, addresses);
            return;
        }
        found = list.data + index;
    }
    join(worker, list, *found, address);
    if (last == list.data) list.start = static_cast<uint32_t>(found - list.data);
    cursor.last = found;
    cursor.expected = cursor.sent_to = list.data + list.links[static_cast<size_t>(found - list.data)].next;
}

void flush_warp(Worker& worker, unsigned warp) {
    if (worker.lists[warp] == nullptr) return;
    const InRuntime runtime;
    each_record(worker, warp, true);
    worker.end_list(warp);
}

void flush_races(Worker& worker, unsigned warp) {
    if (worker.lists[warp] == nullptr) return;
    const InRuntime runtime;
    each_record(worker, warp, false);
}

}  // namespace simt
