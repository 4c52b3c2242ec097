// SPDX-License-Identifier: MIT
#include "framework/block_cache.h"

#include <algorithm>
#include <bit>

#include "framework/error.h"

namespace lily {
namespace {

constexpr size_t kAlignment = 64;  // a cache line, an AVX-512 register

// Eight sizes per power of two: at most 12.5 % is wasted and near-equal requests share blocks.
size_t rounded(size_t bytes) {
    if (bytes <= 512) return (bytes + kAlignment - 1) / kAlignment * kAlignment;
    const size_t step = std::bit_floor(bytes - 1) / 8;
    return (bytes + step - 1) / step * step;
}

}  // namespace

void* BlockCache::allocate(size_t bytes) { return lend(bytes, rounded(bytes)); }

// Convolutions of a network ask for scratch of many sizes, one after the other: the largest block serves them
// all.
void* BlockCache::allocate_scratch(size_t bytes) { return lend(bytes, SIZE_MAX); }

void BlockCache::release(void* memory, size_t bytes) noexcept {
    if (!memory) return;
    const std::lock_guard lock(mutex_);
    size_t size = exact_ ? bytes : rounded(bytes);
    if (const auto larger = larger_.find(memory); larger != larger_.end()) {
        size = larger->second;
        larger_.erase(larger);
    }
    stats_.current_bytes -= static_cast<int64_t>(size);
    if (exact_) return give_back(memory);
    stats_.cached_bytes += static_cast<int64_t>(size);
    free_[size].push_back(memory);
}

MemoryStats BlockCache::stats() const {
    const std::lock_guard lock(mutex_);
    return stats_;
}

void BlockCache::reset_peak() {
    const std::lock_guard lock(mutex_);
    stats_.peak_bytes = stats_.current_bytes;
}

void BlockCache::empty_cache() {
    const std::lock_guard lock(mutex_);
    drop_cache();
}

// A cached block of at least `bytes` and at most `limit`, else a new one.
void* BlockCache::lend(size_t bytes, size_t limit) {
    if (bytes == 0) return nullptr;
    size_t size = exact_ ? bytes : rounded(bytes);
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
        memory = new_block(size);
    }
    stats_.current_bytes += static_cast<int64_t>(size);
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.current_bytes);
    if (poison_) fill_with_nan(memory, size);
    return memory;
}

void* BlockCache::new_block(size_t size) {
    void* memory = ask_system(size);
    if (!memory) {  // blocks of other sizes may be lying in the cache
        drop_cache();
        memory = ask_system(size);
    }
    check(memory != nullptr,
          "[memory] out of memory {}: {} MB asked for, {} MB in use; use a smaller picture or batch",
          describe(), size >> 20, stats_.current_bytes >> 20);
    ++stats_.allocations;
    return memory;
}

void BlockCache::drop_cache() {
    for (auto& [size, blocks] : free_)
        for (void* block : blocks) give_back(block);
    free_.clear();
    stats_.cached_bytes = 0;
}

}  // namespace lily
