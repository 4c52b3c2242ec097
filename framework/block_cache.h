// SPDX-License-Identifier: MIT
// The part of a caching allocator that all devices share; included by framework/*.cpp only.
#pragma once

#include <map>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "framework/storage.h"

namespace lily {

class BlockCache : public CachingAllocator {
  public:
    void* allocate(size_t bytes) override;
    void* allocate_scratch(size_t bytes) override;
    void release(void* memory, size_t bytes) noexcept override;
    MemoryStats stats() const override;
    void reset_peak() override;
    void empty_cache() override;
    void poison(bool on) override { poison_ = on; }

  protected:
    // exact: every block has the size asked for, comes from the system and goes back to it.
    explicit BlockCache(bool exact) : exact_(exact) {}

    virtual void* ask_system(size_t size) = 0;  // null: there is not enough
    virtual void give_back(void* memory) noexcept = 0;
    virtual void fill_with_nan(void* memory, size_t size) = 0;
    virtual std::string describe() const = 0;  // for the error of too little memory: "on the CPU"

  private:
    void* lend(size_t bytes, size_t limit);
    void* new_block(size_t size);
    void drop_cache();

    const bool exact_;
    mutable std::mutex mutex_;
    std::map<size_t, std::vector<void*>> free_;  // no entry is empty
    std::unordered_map<void*, size_t> larger_;   // lent blocks that are larger than what was asked for
    MemoryStats stats_;
    bool poison_ = false;
};

// The allocator and the queue of Device::simt or Device::cuda; they throw where it is not usable.
CachingAllocator& gpu_allocator(Device device);
Queue& gpu_queue(Device device);

}  // namespace lily
