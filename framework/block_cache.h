// SPDX-License-Identifier: MIT
// The part of a caching allocator that all devices share; included by framework/*.cpp only.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "framework/error.h"
#include "framework/storage.h"

namespace lily {

class PoolExhausted : public Error {
  public:
    using Error::Error;
};

// The blocks that a captured step uses at every replay: nobody else gets them while it lives.
struct BlockPool {
    std::map<size_t, std::vector<void*>> free;  // no entry is empty
    int64_t asked = 0;                          // blocks that came from the system
    int64_t lent = 0;
    bool open = true;  // false: its owner is gone, and blocks that come back are anybody's
};

class BlockCache : public CachingAllocator {
  public:
    // From now on this thread's memory comes from this pool (null: from the cache that all share). `fixed`:
    // only what is already in it, else PoolExhausted; what does not belong to it is given back when that
    // ends.
    void use_pool(const std::shared_ptr<BlockPool>& pool, bool fixed = false);
    void close_pool(BlockPool& pool);  // its free blocks go back to the system

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
    using Blocks = std::map<size_t, std::vector<void*>>;

    void* lend(size_t bytes, size_t limit);
    void* new_block(size_t size);
    void take_back(void* memory, size_t size);
    void drop(Blocks& blocks);

    const bool exact_;
    mutable std::mutex mutex_;
    Blocks free_;                               // no entry is empty
    std::unordered_map<void*, size_t> larger_;  // lent blocks that are larger than what was asked for
    std::unordered_map<void*, std::shared_ptr<BlockPool>> owners_;  // lent blocks of pools
    MemoryStats stats_;
    bool poison_ = false;
};

// The allocator and the queue of Device::simt or Device::cuda; they throw where it is not usable.
BlockCache& gpu_allocator(Device device);
Queue& gpu_queue(Device device);

// While one lives, this thread's queue of the device is the one that captured steps are recorded in: what
// other threads ask for meanwhile goes its way and does not get into the recording.
class RecordingQueue {
  public:
    explicit RecordingQueue(Device device);
    ~RecordingQueue();
    RecordingQueue(const RecordingQueue&) = delete;
    RecordingQueue& operator=(const RecordingQueue&) = delete;
};

}  // namespace lily
