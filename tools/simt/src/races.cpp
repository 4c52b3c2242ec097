// SPDX-License-Identifier: MIT
#include "races.h"

#include <algorithm>

#include "engine.h"
#include "race_report.h"
#include "shadow.h"

namespace simt {
namespace {

Slot load(const uint64_t& word) { return __builtin_bit_cast(Slot, __atomic_load_n(&word, __ATOMIC_RELAXED)); }
void store(uint64_t& word, Slot slot) {
    __atomic_store_n(&word, __builtin_bit_cast(uint64_t, slot), __ATOMIC_RELAXED);
}
constexpr Stamp kSplit = UINT32_MAX;  // stands for the write of a word whose bytes have their own cells

Kind kind_of(const Record& record) {
    switch (record.access()) {
        case Access::read:
        case Access::write:
            return plain;
        case Access::volatile_read:
        case Access::volatile_write:
            return record.shared() ? plain : as_volatile;
        default:
            return record.narrow() ? atomic_block : atomic_device;
    }
}

}  // namespace

RaceCheck::RaceCheck(Worker& worker, unsigned warp)
    : worker_(worker), warp_(warp), mine_(worker.warp_stamp[warp]), interval_(interval_of(mine_)) {}

void RaceCheck::begin(const Record& record) {
    write_ = writes(record.access());
    updates_ = record.access() == Access::atomic_update;
    bytes_ = record.bytes();
    site_ = record.site();
    info_ = kind_of(record) | (updates_ ? kUpdates : 0u) | site_number(worker_, site_) << kSiteShift;
    if (global_ == record.shared() || floor_ == 0) {
        for (auto& memo : memo_) memo.stamp = 0;
        passed_[0] = passed_[1] = UINT32_MAX;
    }
    global_ = !record.shared();
    floor_ = global_ ? worker_.launch->oldest_stamp : worker_.epoch_stamp;
    launch_ = worker_.launch->first_stamp;
}

// Which of the memories: shared memory is two pieces.
bool RaceCheck::regular(const Record& record, uint32_t lanes) {
    if (record.bytes() < 4) return false;
    begin(record);
    const LaneAt* at = worker_.lanes_at + warp_ * kWarp;
    const auto step = static_cast<int64_t>(record.dx);
    const unsigned width = worker_.launch->block.x;
    const bool same_rows = record.dy == 0 && width < kWarp && kWarp % width == 0 && lanes == ~0u;
    while (lanes != 0) {
        const auto lane = static_cast<unsigned>(__builtin_ctz(lanes));
        const unsigned most = std::min(kWarp - lane, width - static_cast<unsigned>(at[lane].x));
        const uint32_t above = ~(lanes >> lane);
        const unsigned n = std::min(most, above == 0 ? kWarp : static_cast<unsigned>(__builtin_ctz(above)));
        const uintptr_t address = predict(record, at[lane]);
        const uint32_t info =
            info_ | lane << kLaneShift | (same_rows || (step == 0 && n > 1) ? kSeveral : 0u);
        if (step == 0)
            words(address, bytes_ / 4, info, SIZE_MAX);
        else if (step == static_cast<int64_t>(bytes_))
            words(address, n * bytes_ / 4, info, bytes_ / 4);
        else
            for (unsigned i = 0; i < n; ++i)
                words(address + static_cast<uintptr_t>(i * step), bytes_ / 4, info + (i << kLaneShift),
                      SIZE_MAX);
        if (same_rows) break;
        lanes &= ~static_cast<uint32_t>(((uint64_t{1} << n) - 1) << lane);
    }
    return true;
}

void RaceCheck::irregular(const Record& record, uint32_t lanes, const LaneAddresses& addresses) {
    begin(record);
    for (; lanes != 0; lanes &= lanes - 1) {
        const auto lane = static_cast<unsigned>(__builtin_ctz(lanes));
        const uint32_t info = info_ | lane << kLaneShift;
        if (bytes_ >= 4)
            words(addresses.at[lane], bytes_ / 4, info, SIZE_MAX);
        else
            for (size_t i = 0; i < bytes_; ++i) place(addresses.at[lane] + i, info);
    }
}

// A read mostly needs no more than a look, or its mark in the first place. True: two readers without an order
// to this warp are there.
[[gnu::always_inline]] inline bool RaceCheck::read_word(Cell& cell, uint32_t info, uintptr_t address) {
    const Slot written = load(cell.written), a = load(cell.read[0]), b = load(cell.read[1]);
    if (written.stamp < floor_ && ((a.info | b.info) & kUpdates) == 0) {
        if (a.stamp == passed_[0] && b.stamp == passed_[1]) return true;
        if (a.stamp == mine_ && a.info == info) return false;
        if (a.stamp < floor_) return store(cell.read[0], {mine_, info}), false;
    }
    read_cell(cell, info, address);
    return false;
}

// n words from there on; every so many belong to the next lane.
void RaceCheck::words(uintptr_t address, size_t n, uint32_t info, size_t words_per_lane) {
    size_t left = words_per_lane;
    for (size_t i = 0; i < n;) {
        const Place at = place_of(worker_, address, global_);
        if (global_ && !enter(at.offset)) return;
        const size_t word = at.offset / 4, here = std::min(n - i, kLine - word % kLine);
        uint64_t& line = at.cells->lines[word / kLine];
        Cell* cell = at.cells->words + word;
        const bool whole = !write_ && here == kLine && words_per_lane == 1 && floor_ >= launch_;
        if (whole && line == passed_both_) {
            i += here, address += 4 * here, info += static_cast<uint32_t>(here) << kLaneShift;
            continue;
        }
        size_t passed = 0;
        for (const size_t end = i + here; i < end; ++i, ++cell, address += 4) {
            if (load(cell->written).stamp == kSplit) [[unlikely]] {
                for (size_t byte = 0; byte < 4; ++byte) place(address + byte, info);
            } else if (write_) {
                write_cell(*cell, info, address);
            } else {
                passed += read_word(*cell, info, address);
            }
            if (--left == 0) left = words_per_lane, info += 1u << kLaneShift;
        }
        if (passed != here)
            line = 0;
        else if (whole)
            line = passed_both_;
    }
}

// One byte of a word, which from now on has a cell per byte.
void RaceCheck::place(uintptr_t address, uint32_t info) {
    const Place at = place_of(worker_, address, global_);
    if (global_ && !enter(at.offset)) return;
    Cell& word = at.cells->words[at.offset / 4];
    Cell* bytes = at.cells->bytes + at.offset / 4 * 4;
    at.cells->lines[at.offset / 4 / kLine] = 0;
    if (load(word.written).stamp != kSplit) {
        if (global_ && !may_split(at.offset)) return;
        std::fill(bytes, bytes + 4, word);
        store(word.written, {kSplit, 0});
    }
    Cell& cell = bytes[at.offset % 4];
    if (write_)
        write_cell(cell, info, address);
    else
        read_cell(cell, info, address);
}

RaceCheck::Relation RaceCheck::relate(Stamp stamp) {
    if (stamp < floor_) return Relation::before;
    if (stamp == mine_) return Relation::same;
    auto& memo = memo_[stamp % 4];
    if (memo.stamp == stamp) return memo.relation;
    const Interval& other = interval_of(stamp);
    Relation relation = Relation::other;
    if (stamp < launch_) {  // of another launch or copy
        relation = Relation::before;
        for (const auto& [first, end] : worker_.launch->unordered)
            if (stamp >= first && stamp < end) relation = Relation::other;
    } else if (other.block == interval_.block) {
        if (other.epoch < interval_.epoch)
            relation = Relation::before;
        else if (other.warp == warp_)
            relation = other.warp_epoch < interval_.warp_epoch ? Relation::before : Relation::same;
    }
    memo = {stamp, relation};
    return relation;
}

void RaceCheck::check(Slot other, bool other_writes, uint32_t info, uintptr_t address) {
    const Relation relation = relate(other.stamp);
    if (relation == Relation::before) return;
    if (relation == Relation::same && ((other.info | info) & kSeveral) == 0 &&
        lane_of(other.info) == lane_of(info))
        return;
    const Kind theirs = kind_in(other.info), ours = kind_in(info);
    if (theirs != plain && ours != plain) {
        const bool same_block = relation == Relation::same ||
                                (other.stamp >= launch_ && interval_of(other.stamp).block == interval_.block);
        const bool is_volatile = theirs == as_volatile || ours == as_volatile;
        if (is_volatile ? relation != Relation::same
                        : same_block || (theirs == atomic_device && ours == atomic_device))
            return;
    }
    if (other.stamp >= launch_ && worker_.order.used() &&
        worker_.order.knows(worker_, warp_ * kWarp + lane_of(info), other.stamp,
                            (other.info & kSeveral) != 0 ? -1 : static_cast<int>(lane_of(other.info))))
        return;
    report(other, other_writes, relation, info, address);
}

// Two readers that have no order are enough: one of them has none with any writer either, or both come before
// it.
void RaceCheck::keep_reader(Cell& cell, uint32_t info) {
    constexpr uint32_t kHow = 3u | kUpdates;
    for (uint64_t& word : cell.read) {
        const Slot slot = load(word);
        if (slot.stamp != mine_ || ((slot.info ^ info) & kHow) != 0) continue;
        const bool several = ((slot.info | info) & kSeveral) != 0 || lane_of(slot.info) != lane_of(info);
        if (several && (slot.info & kSeveral) == 0) store(word, {mine_, slot.info | kSeveral});
        return;
    }
    for (uint64_t& word : cell.read) {
        const Slot slot = load(word);
        if (relate(slot.stamp) == Relation::before) return store(word, {mine_, info});
    }
    // both of other streams: one more of this launch says more than two of those
    if (load(cell.read[0]).stamp < launch_ && load(cell.read[1]).stamp < launch_)
        store(cell.read[1], {mine_, info});
}

void RaceCheck::read_cell(Cell& cell, uint32_t info, uintptr_t address) {
    const Slot written = load(cell.written);
    if (written.stamp >= floor_) check(written, true, info, address);
    const Slot a = load(cell.read[0]), b = load(cell.read[1]);
    if (((a.info | b.info) & kUpdates) != 0) {
        if ((a.info & kUpdates) != 0) check(a, true, info, address);
        if ((b.info & kUpdates) != 0) check(b, true, info, address);
    }
    keep_reader(cell, info);
    if (((a.info | b.info) & kUpdates) == 0 && relate(a.stamp) == Relation::other &&
        relate(b.stamp) == Relation::other && (a.stamp >= launch_ || b.stamp >= launch_))
        passed_[0] = a.stamp, passed_[1] = b.stamp;
}

void RaceCheck::write_cell(Cell& cell, uint32_t info, uintptr_t address) {
    const Slot written = load(cell.written);
    if (written.stamp >= floor_) check(written, true, info, address);
    for (const uint64_t& word : cell.read)
        if (const Slot reader = load(word); reader.stamp >= floor_)
            check(reader, (reader.info & kUpdates) != 0, info, address);
    const bool shared = written.stamp == mine_ && lane_of(written.info) != lane_of(info);
    store(cell.written, {mine_, info | (shared ? kSeveral : 0u)});
    if (updates_) keep_reader(cell, info);
}

bool RaceCheck::enter(uintptr_t offset) {
    if (offset / kPage == page_) return usable_;
    leave();
    page_ = offset / kPage;
    if (!worker_.launch->alone) lock_page(page_);
    return usable_ = may_watch(offset);
}

void RaceCheck::leave() {
    if (page_ != UINT64_MAX && !worker_.launch->alone) unlock_page(page_);
    page_ = UINT64_MAX;
}

void RaceCheck::report(Slot other, bool other_writes, Relation relation, uint32_t info, uintptr_t address) {
    leave();
    RaceReport race;
    race.global = global_;
    race.address = address;
    race.warp = warp_;
    race.site = site_;
    race.write = write_;
    race.other_write = other_writes;
    race.other = other;
    race.info = info;
    race.same_warp = relation == Relation::same;
    report_race(worker_, race);
}

}  // namespace simt
