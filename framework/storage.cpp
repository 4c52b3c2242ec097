// SPDX-License-Identifier: MIT
#include "framework/storage.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <unordered_map>

#include "framework/error.h"

namespace lily {
namespace {

constexpr size_t kAlignment = 64;              // a cache line, an AVX-512 register
constexpr size_t kHugePage = size_t{2} << 20;  // blocks of this size and more ask for huge pages

// Eight sizes per power of two: at most 12.5 % is wasted and near-equal requests share blocks.
size_t rounded(size_t bytes) {
    if (bytes <= 512) return (bytes + kAlignment - 1) / kAlignment * kAlignment;
    const size_t step = std::bit_floor(bytes - 1) / 8;
    return (bytes + step - 1) / step * step;
}

class CpuAllocator final : public CachingAllocator {
  public:
    void* allocate(size_t bytes) override { return lend(bytes, rounded(bytes)); }

    // Convolutions of a network ask for scratch of many sizes, one after the other: the largest block serves
    // them all.
    void* allocate_scratch(size_t bytes) override { return lend(bytes, SIZE_MAX); }

    void release(void* memory, size_t bytes) noexcept override {
        if (!memory) return;
        const std::lock_guard lock(mutex_);
        size_t size = rounded(bytes);
        if (const auto larger = larger_.find(memory); larger != larger_.end()) {
            size = larger->second;
            larger_.erase(larger);
        }
        stats_.current_bytes -= static_cast<int64_t>(size);
        stats_.cached_bytes += static_cast<int64_t>(size);
        free_[size].push_back(memory);
    }

    MemoryStats stats() const override {
        const std::lock_guard lock(mutex_);
        return stats_;
    }
    void reset_peak() override {
        const std::lock_guard lock(mutex_);
        stats_.peak_bytes = stats_.current_bytes;
    }
    void empty_cache() override {
        const std::lock_guard lock(mutex_);
        drop_cache();
    }

    void poison(bool on) override { poison_ = on; }

  private:
    // A cached block of at least `bytes` and at most `limit`, else a new one.
    void* lend(size_t bytes, size_t limit) {
        if (bytes == 0) return nullptr;
        size_t size = rounded(bytes);
        const std::lock_guard lock(mutex_);
        void* memory = nullptr;
        const auto blocks = free_.lower_bound(size);
        if (blocks != free_.end() && blocks->first <= limit) {
            if (blocks->first > size) larger_[blocks->second.back()] = blocks->first;
            size = blocks->first;
            memory = blocks->second.back();
            blocks->second.pop_back();
            if (blocks->second.empty()) free_.erase(blocks);
            stats_.cached_bytes -= static_cast<int64_t>(size);
        } else {
            memory = ask_system(size);
        }
        stats_.current_bytes += static_cast<int64_t>(size);
        stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.current_bytes);
        if (poison_) std::memset(memory, 0xff, size);  // every float and double in it is NaN
        return memory;
    }

    void* ask_system(size_t size) {
        const size_t alignment = size >= kHugePage ? kHugePage : kAlignment;
        const size_t padded = (size + alignment - 1) / alignment * alignment;
        void* memory = std::aligned_alloc(alignment, padded);
        if (!memory) {  // blocks of other sizes may be lying in the cache
            drop_cache();
            memory = std::aligned_alloc(alignment, padded);
        }
        check(memory != nullptr,
              "[memory] out of memory: {} MB asked for, {} MB in use; use a smaller picture or batch",
              size >> 20, stats_.current_bytes >> 20);
        if (size >= kHugePage) madvise(memory, padded, MADV_HUGEPAGE);
        ++stats_.allocations;
        return memory;
    }

    void drop_cache() {
        for (auto& [size, blocks] : free_)
            for (void* block : blocks) std::free(block);
        free_.clear();
        stats_.cached_bytes = 0;
    }

    mutable std::mutex mutex_;
    std::map<size_t, std::vector<void*>> free_;  // no entry is empty
    std::unordered_map<void*, size_t> larger_;   // lent blocks that are larger than what was asked for
    MemoryStats stats_;
    bool poison_ = false;
};

}  // namespace

CachingAllocator& allocator(Device device) {
    check(device == Device::cpu, "[memory] this build has no {} device", name(device));
    static auto& cpu = *new CpuAllocator;  // never destroyed: tensors in static objects may outlive main
    return cpu;
}

Queue& default_queue(Device device) {
    static auto& cpu = *new Queue(Device::cpu, allocator(Device::cpu));
    check(device == Device::cpu, "[queue] this build has no {} device", name(device));
    return cpu;
}

Storage::Storage(Device device, size_t bytes)
    : device_(device), bytes_(bytes), data_(allocator(device).allocate(bytes)) {}

Storage::Storage(Device device, void* memory, size_t bytes, std::shared_ptr<const void> owner)
    : device_(device), bytes_(bytes), data_(memory), owner_(std::move(owner)) {}

Storage::~Storage() {
    if (!owner_) allocator(device_).release(data_, bytes_);
}

std::shared_ptr<Storage> Storage::derived(uint64_t plan,
                                          const std::function<std::shared_ptr<Storage>()>& make) {
    for (Derived& entry : derived_)
        if (entry.plan == plan) {
            if (entry.version != version_) entry = {plan, version_, make()};
            return entry.storage;
        }
    derived_.push_back({plan, version_, make()});
    return derived_.back().storage;
}

}  // namespace lily
