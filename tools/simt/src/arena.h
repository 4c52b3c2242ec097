// SPDX-License-Identifier: MIT
// The memory of the device: one range of addresses, with two bits per byte beside it (allocated,
// initialised).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "simt/simt.h"

namespace simt {

// The shadow that every access is checked against; offset = address - base.
struct Shadow {
    uintptr_t base = 0;
    size_t size = 0;  // 0 until the first allocation
    uint8_t* allocated = nullptr;
    uint8_t* initialised = nullptr;
};
extern constinit Shadow g_shadow;

struct Block {
    uintptr_t address;
    size_t bytes;
    bool pinned, freed;
    const void *site, *freed_at;
    uint64_t serial;
};

// All calls under the runtime's lock.
class Arena {
  public:
    static Arena& instance();

    void* allocate(size_t bytes, bool pinned, const void* site);  // null: the device's memory is full
    void release(Block& block, const void* site);
    Block* find(
        const void* address);  // the living or freed block that contains or is nearest to it; may be null
    Block* at(const void* address);                        // the block that begins there, living or freed
    bool covers(const void* address, size_t bytes) const;  // all of it is allocated
    void mark_initialised(const void* address, size_t bytes);
    void copy_initialised(const void* to, const void* from, size_t bytes);
    // For a report: "8 bytes after the end of the 1024 bytes allocated at x.cpp:12"
    std::string describe(const void* address);

    std::vector<Allocation> living() const;
    size_t used() const { return used_; }
    void set_capacity(size_t bytes) { capacity_ = bytes; }
    size_t capacity() const { return capacity_; }
    void clear();

  private:
    Arena();
    void commit(uintptr_t end);

    std::map<uintptr_t, Block> blocks_;
    uintptr_t top_, committed_;
    size_t used_ = 0, capacity_ = 0;
    uint64_t serial_ = 0;
};

}  // namespace simt
