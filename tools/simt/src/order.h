// SPDX-License-Identifier: MIT
// Which accesses of a launch come before which others. A stamp names an interval: one warp between two of its
// barriers, __syncwarps or fences. A release (a fence and then an atomic, or an atomic that releases) hands
// on what its thread has done and knows; who reads the atomic and then fences, or comes to a barrier, knows
// it too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <vector>

#include "simt/collective.h"

namespace simt {

class Worker;

using Stamp = uint32_t;  // grows with time; 0 is nobody's
constexpr Stamp kLastStamp = 0xfff00000;

struct Interval {
    uint32_t block, epoch,
        warp_epoch;  // the epochs count the barriers of the block, the __syncwarps of the warp
    uint32_t warp;
};
const Interval& interval_of(Stamp stamp);

// Stamps for the launch that begins; all those below were before it.
Stamp begin_launch_stamps();
Stamp take_one_stamp();  // between two launches
// n neighbouring ones; 0 when there are none left.
Stamp take_stamps(Worker& worker, unsigned n);
void describe(Stamp stamp, const Interval& interval);
// How often all shadows had to begin anew, because the stamps did.
uint32_t stamp_generation();

// What a thread hands on: what its block did before a barrier, its warp before a __syncwarp, itself before
// the fence.
struct Release {
    Interval interval;
    Stamp stamp;
    uint8_t lane;
    Scope scope;
};

struct Sync;
// The first so many releases at one address.
struct Heard {
    const Sync* at;
    size_t count;
    Scope scope;
};
using Knowledge = std::vector<Heard>;

// The releases at one address, in the order of the atomics; what is known there stays known.
struct Sync {
    struct Entry {
        Release release;
        Knowledge known;  // the releaser's own
    };
    std::vector<Entry> entries;
    std::map<uint32_t, std::vector<size_t>> of_block;  // which of the entries
};

// Of one address space: global memory for the length of a launch, shared memory for that of a block.
struct Syncs {
    std::mutex mutex;
    std::map<uintptr_t, std::unique_ptr<Sync>> all;
};
void begin_launch_order();

// A worker's block: what its threads, warps, and all of it have learned.
class Order {
  public:
    void begin_block();
    void barrier(Worker& worker);
    void sync_warp(Worker& worker, unsigned warp);
    void fence(Worker& worker,
               Scope scope);  // by the running thread, whose interval has just ended with `stamp`
    void release(Worker& worker, uintptr_t address, int order, Scope scope);  // before an atomic writes
    // After one has read. True: there is something that it may know now.
    bool acquire(Worker& worker, uintptr_t address, int order, Scope scope);
    // Does the thread know of what that lane did in an interval? lane < 0: several of the warp.
    bool knows(const Worker& worker, unsigned thread, Stamp stamp, int lane) const;
    bool used() const { return used_; }

  private:
    struct Thread {
        Knowledge known, pending;  // pending: read, but not fenced yet
        bool fenced = false;
        Release fence;
        Knowledge fence_known;
        uint32_t fence_epoch = UINT32_MAX;
    };
    Syncs& syncs(uintptr_t address);
    Knowledge all_known(unsigned thread) const;

    bool used_ = false;
    std::vector<Thread> threads_;
    std::vector<Knowledge> warps_;
    Knowledge block_;
    Syncs shared_;
    Scope fenced_scope_ = Scope::system;  // the narrowest fence since the last barrier
    unsigned fenced_ = 0;                 // how many threads have fenced since
};

}  // namespace simt
