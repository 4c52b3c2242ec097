// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "framework/device.h"

namespace lily {

struct MemoryStats {
    int64_t current_bytes = 0;  // in tensors and scratch
    int64_t peak_bytes = 0;     // the most that current_bytes ever was since reset_peak()
    int64_t cached_bytes = 0;   // freed, kept for the next allocation of that size
    int64_t allocations = 0;    // calls answered by the operating system, not by the cache
};

// Keeps freed blocks by size: after its first step a training loop asks the operating system for nothing.
class CachingAllocator : public MemoryPool {
  public:
    virtual MemoryStats stats() const = 0;
    virtual void reset_peak() = 0;
    virtual void empty_cache() = 0;
    virtual void poison(bool on) = 0;  // for tests: fill what is handed out with NaN
};
CachingAllocator& allocator(Device device);

// A block of memory shared by tensors (reshape shares it). Memory may also belong to somebody else: a mapped
// file, or another storage.
class Storage : public std::enable_shared_from_this<Storage> {
  public:
    Storage(Device device, size_t bytes);
    Storage(Device device, void* memory, size_t bytes, std::shared_ptr<const void> owner);
    // A piece of another storage, with its version: a change of one piece is one of all.
    Storage(const std::shared_ptr<Storage>& whole, size_t offset, size_t bytes);
    ~Storage();
    Storage(const Storage&) = delete;
    Storage& operator=(const Storage&) = delete;

    void* data() const { return data_; }
    size_t bytes() const { return bytes_; }
    Device device() const { return device_; }
    bool owns_memory() const { return owner_ == nullptr; }

    // Changes with every change in place, and no other storage ever has the same: backward can refuse a
    // tensor whose value, or whose memory, is no longer what forward saw.
    uint64_t version() const { return whole_ ? whole_->version() : version_; }
    void bump_version();

    // A copy of this memory in a kernel's own layout (Winograd-transformed weights), made when first asked
    // for and again after a change in place. `plan` names the layout. Threads may ask at the same time.
    std::shared_ptr<Storage> derived(uint64_t plan, const std::function<std::shared_ptr<Storage>()>& make);

  private:
    struct Derived {
        uint64_t plan, version;
        std::shared_ptr<Storage> storage;
    };

    static uint64_t next_version();

    Device device_;
    size_t bytes_;
    void* data_;
    std::shared_ptr<const void> owner_;
    Storage* whole_ = nullptr;  // this is a piece of it; held by owner_
    uint64_t version_ = next_version();
    std::mutex derived_mutex_;
    std::vector<Derived> derived_;
};

}  // namespace lily
