// SPDX-License-Identifier: MIT
// The memory accesses of a warp: the same instruction of its 32 lanes is one record. The lanes run one after
// the other; the first one writes the list, the others mostly find what they do in it, address included, as a
// function of x and y.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "simt/collective.h"

namespace simt {

class Worker;

enum class Access : uint8_t {
    read,
    write,
    atomic_load,
    atomic_store,
    atomic_update,
    volatile_read,
    volatile_write
};
constexpr bool writes(Access access) {
    return access == Access::write || access == Access::atomic_store || access == Access::atomic_update ||
           access == Access::volatile_write;
}
constexpr bool reads(Access access) {
    return access != Access::write && access != Access::atomic_store && access != Access::volatile_write;
}

enum class Memory : uint8_t { global, locals, dynamic };  // static and dynamic shared memory: two pieces

struct Record {
    uintptr_t base = 0;      // the address is base + x dx + y dy; or kIrregular | which of the lists
    uint64_t what = 0;       // the low half of where the call returns to, and how it accesses
    int32_t dx = 0, dy = 0;  // in bytes
    uint32_t mask = 0;       // the lanes; none: a pattern that an earlier interval has left
    Memory memory = Memory::global;
    uint8_t below = 0,
            above = 0;  // 2^x bytes, how far the lanes' addresses reach on both sides of the first lane's

    static constexpr uint64_t kNarrow = uint64_t{1} << 42;  // of block scope
    static constexpr uint64_t pack(uint32_t site, Access access, size_t bytes) {
        const uint64_t log2 = bytes == 16 ? 4 : (bytes == 8 ? 3 : bytes / 2);
        return site | static_cast<uint64_t>(access) << 32 | log2 << 36;
    }
    uint32_t site() const { return static_cast<uint32_t>(what); }
    Access access() const { return static_cast<Access>(what >> 32 & 15); }
    size_t bytes() const { return size_t{1} << (what >> 36 & 15); }
    bool shared() const { return memory != Memory::global; }
    bool narrow() const { return (what & kNarrow) != 0; }
};
static_assert(sizeof(Record) == 32);
constexpr uintptr_t kIrregular = uintptr_t{1} << 63;  // no address begins so

struct LaneAddresses {
    uintptr_t at[32];
};

// Where a thread is in its warp's list: the record it should meet now. It is the one behind the last that it
// has met, unless it was sent there: then `last` says which that was.
struct Cursor {
    Record* expected = nullptr;
    Record* sent_to = nullptr;
    Record* last = nullptr;
};

Cursor nowhere();  // expects what nobody does

// The list of one warp. Record 0 is none.
class Records {
  public:
    Records();
    ~Records();
    Records(const Records&) = delete;
    Records& operator=(const Records&) = delete;
    void clear();
    void finish();  // the interval is over: what the lanes did stays as a pattern for the next

    struct Link {
        uint32_t raced = 0;    // the lanes that the search for races has seen
        uint32_t next = 0;     // what followed this record first
        uint32_t other = 0;    // what else has: the first of a chain
        uint32_t sibling = 0;  // the next of that chain
    };
    Record* data;
    std::vector<Link> links;
    std::vector<LaneAddresses> addresses;  // of irregular records
    uint32_t size = 1, start = 0;          // which record the interval began with
    Cursor cursors[32];                    // of the lanes that do not run
};

void record_slowly(Worker& worker, uintptr_t address, uint64_t what, Memory memory);
// Everything that the warp has done so far, to the search for races and the counters; or to the former alone.
void flush_warp(Worker& worker, unsigned warp);
void flush_races(Worker& worker, unsigned warp);

}  // namespace simt
