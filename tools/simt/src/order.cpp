// SPDX-License-Identifier: MIT
#include "order.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <new>

#include "arena.h"
#include "engine.h"
#include "stream_order.h"

namespace simt {
namespace {

constexpr Stamp kPiece = 4096;            // stamps that a worker takes at once
constexpr Stamp kBeginAnew = 0x80000000;  // from here on, the next launch begins again with 1
constexpr Stamp kTrim = Stamp{1} << 22;   // intervals of past launches whose memory is given back

std::atomic<Stamp> g_next_stamp = 1;
Stamp g_trimmed = 0;
uint32_t g_generation = 0;
std::atomic<bool> g_any_release = false;  // in this launch: without one nobody has anything to acquire

Interval* table() {
    static auto* const made = [] {
        void* memory = mmap(nullptr, sizeof(Interval) << 32, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) throw std::bad_alloc();
        return static_cast<Interval*>(memory);
    }();
    return made;
}

Syncs& global_syncs() {
    static Syncs all;
    return all;
}

void add(Knowledge& to, const Heard& what) {
    for (Heard& known : to)
        if (known.at == what.at && known.scope == what.scope) {
            known.count = std::max(known.count, what.count);
            return;
        }
    to.push_back(what);
}
void add(Knowledge& to, const Knowledge& what) {
    for (const Heard& known : what) add(to, known);
}

bool covers(const Release& release, const Interval& other, Stamp stamp, int lane) {
    if (other.epoch < release.interval.epoch) return true;
    if (other.epoch > release.interval.epoch || other.warp != release.interval.warp) return false;
    if (other.warp_epoch < release.interval.warp_epoch) return true;
    return stamp <= release.stamp && (lane < 0 || lane == release.lane);
}

// depth: releases hand on what was acquired elsewhere, which may go round in circles
bool covers(const Heard& known, uint32_t mine, const Interval& other, Stamp stamp, int lane, int depth) {
    if (const auto found = known.at->of_block.find(other.block); found != known.at->of_block.end())
        for (const size_t index : found->second) {
            if (index >= known.count) break;
            const Release& release = known.at->entries[index].release;
            const bool narrow = release.scope == Scope::block || known.scope == Scope::block;
            if (narrow && other.block != mine) continue;
            if (covers(release, other, stamp, lane)) return true;
        }
    if (depth == 0) return false;
    const size_t end = std::min(known.count, known.at->entries.size());
    for (size_t index = 0; index < end; ++index)
        for (const Heard& further : known.at->entries[index].known)
            if (further.at != known.at && covers(further, mine, other, stamp, lane, depth - 1)) return true;
    return false;
}

}  // namespace

const Interval& interval_of(Stamp stamp) { return table()[stamp]; }
void describe(Stamp stamp, const Interval& interval) { table()[stamp] = interval; }
uint32_t stamp_generation() { return g_generation; }

Stamp begin_launch_stamps() {
    const Stamp next = g_next_stamp;
    if (next >= kBeginAnew) {
        forget_races();
        forget_past(nullptr);
        madvise(table(), sizeof(Interval) * next, MADV_DONTNEED);
        g_trimmed = 0;
        ++g_generation;
        g_next_stamp = 1;
    } else if (const Stamp unused = std::max(oldest_past_stamp(next), next - std::min(next, kTrim));
               unused > g_trimmed && unused - g_trimmed > kTrim) {
        constexpr size_t kPage = 4096 / sizeof(Interval);
        const size_t begin = (g_trimmed + kPage - 1) / kPage * kPage, end = unused / kPage * kPage;
        madvise(table() + begin, (end - begin) * sizeof(Interval), MADV_DONTNEED);
        g_trimmed = unused;
        forget_past_before(unused);
    }
    return g_next_stamp;
}

Stamp take_one_stamp() { return g_next_stamp.fetch_add(1); }

void begin_launch_order() {
    if (g_any_release.exchange(false)) global_syncs().all.clear();
}

Stamp take_stamps(Worker& worker, unsigned n) {
    if (worker.last_stamp - worker.next_stamp < n || worker.next_stamp < worker.launch->first_stamp) {
        const Stamp piece = std::max(kPiece, n);
        if (g_next_stamp >= kLastStamp) return 0;
        worker.next_stamp = g_next_stamp.fetch_add(piece);
        worker.last_stamp = worker.next_stamp + piece;
    }
    const Stamp first = worker.next_stamp;
    worker.next_stamp += n;
    return first;
}

void Order::begin_block() {
    fenced_ = 0;
    fenced_scope_ = Scope::system;
    if (!used_) return;
    threads_.clear();
    warps_.clear();
    block_.clear();
    shared_.all.clear();
    used_ = false;
}

Syncs& Order::syncs(uintptr_t address) {
    if (!used_) {
        used_ = true;
        threads_.resize(kMaxThreads);
        warps_.resize(kMaxThreads / kWarp);
    }
    return address - g_shadow.base < g_shadow.size ? global_syncs() : shared_;
}

Knowledge Order::all_known(unsigned thread) const {
    Knowledge all = block_;
    add(all, warps_[thread / kWarp]);
    add(all, threads_[thread].known);
    return all;
}

void Order::fence(Worker& worker, Scope scope) {
    syncs(0);
    g_any_release.store(true, std::memory_order_relaxed);
    Thread& self = threads_[worker.thread];
    for (Heard known : self.pending) {
        known.scope = std::min(known.scope, scope);
        add(self.known, known);
    }
    self.pending.clear();
    const unsigned warp = worker.thread / kWarp;
    self.fence = {interval_of(worker.warp_stamp[warp]), worker.warp_stamp[warp],
                  static_cast<uint8_t>(worker.thread % kWarp), scope};
    self.fenced = true;
    self.fence_known = all_known(worker.thread);
    if (self.fence_epoch != worker.epoch) {
        self.fence_epoch = worker.epoch;
        ++fenced_;
        fenced_scope_ = std::min(fenced_scope_, scope);
    }
}

void Order::release(Worker& worker, uintptr_t address, int order, Scope scope) {
    const bool releases = order >= __ATOMIC_RELEASE;
    if (!releases && !used_) return;
    Syncs& where = syncs(address);
    Thread& self = threads_[worker.thread];
    if (!releases && !self.fenced) return;
    if (releases) g_any_release.store(true, std::memory_order_relaxed);
    const unsigned warp = worker.thread / kWarp;
    Sync::Entry entry;
    if (releases) {
        entry.release = {interval_of(worker.warp_stamp[warp]), worker.warp_stamp[warp],
                         static_cast<uint8_t>(worker.thread % kWarp), scope};
        entry.known = all_known(worker.thread);
    } else {
        entry.release = self.fence;
        entry.release.scope = std::min(self.fence.scope, scope);
        entry.known = self.fence_known;
    }
    const std::lock_guard lock(where.mutex);
    auto& sync = where.all[address];
    if (sync == nullptr) sync = std::make_unique<Sync>();
    sync->of_block[entry.release.interval.block].push_back(sync->entries.size());
    sync->entries.push_back(std::move(entry));
}

bool Order::acquire(Worker& worker, uintptr_t address, int order, Scope scope) {
    if (!g_any_release.load(std::memory_order_relaxed)) return false;
    Syncs& where = syncs(address);
    const std::lock_guard lock(where.mutex);
    const auto found = where.all.find(address);
    if (found == where.all.end()) return false;
    Thread& self = threads_[worker.thread];
    const bool acquires = order == __ATOMIC_CONSUME || order == __ATOMIC_ACQUIRE || order >= __ATOMIC_ACQ_REL;
    add(acquires ? self.known : self.pending, {found->second.get(), found->second->entries.size(), scope});
    return acquires;
}

// What one thread knows, all know; what one has read without a fence, too: so do the published examples of
// "the last block adds up". Fences of all threads before it stand for a fence after it.
void Order::barrier(Worker& worker) {
    if (!used_) return;
    const bool all_fenced = fenced_ == worker.threads_in_block();
    for (Knowledge& warp : warps_) add(block_, warp), warp.clear();
    for (unsigned t = 0; t < worker.threads_in_block(); ++t) {
        Thread& thread = threads_[t];
        add(block_, thread.known), add(block_, thread.pending);
        thread.known.clear(), thread.pending.clear();
    }
    for (unsigned t = 0; all_fenced && t < worker.threads_in_block(); ++t) {
        Thread& thread = threads_[t];
        thread.fence = {interval_of(worker.warp_stamp[t / kWarp]), worker.warp_stamp[t / kWarp] - 1, 0,
                        fenced_scope_};
        thread.fence_known = block_;
    }
    fenced_ = 0;
    fenced_scope_ = Scope::system;
}

void Order::sync_warp(Worker& worker, unsigned warp) {
    if (!used_) return;
    for (unsigned t = warp * kWarp; t < std::min((warp + 1) * kWarp, worker.threads_in_block()); ++t) {
        add(warps_[warp], threads_[t].known);
        threads_[t].known.clear();
    }
}

bool Order::knows(const Worker& worker, unsigned thread, Stamp stamp, int lane) const {
    if (!used_) return false;
    const Interval& other = interval_of(stamp);
    const std::lock_guard lock(global_syncs().mutex);
    for (const Knowledge* knowledge : {&block_, &warps_[thread / kWarp], &threads_[thread].known})
        for (const Heard& known : *knowledge)
            if (covers(known, worker.block_index, other, stamp, lane, 3)) return true;
    return false;
}

}  // namespace simt
