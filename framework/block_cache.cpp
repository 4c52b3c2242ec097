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

// The pool that this thread's memory comes from; no thread is in two captured steps.
struct PoolInUse {
    const BlockCache* of = nullptr;  // null: none
    std::shared_ptr<BlockPool> pool;
    bool fixed = false;
    std::vector<std::pair<void*, size_t>> later;  // given back while a fixed pool was in use
};
thread_local PoolInUse in_use;

}  // namespace

void* BlockCache::allocate(size_t bytes) { return lend(bytes, rounded(bytes)); }

// Convolutions of a network ask for scratch of many sizes, one after the other: a larger block serves them
// all. But what would soon be missed elsewhere is not lent for a little.
void* BlockCache::allocate_scratch(size_t bytes) {
    constexpr size_t kLittle = size_t{1} << 20, kTimes = 16;
    return lend(bytes, std::max(kLittle, kTimes * std::min(bytes, SIZE_MAX / kTimes)));
}

void BlockCache::release(void* memory, size_t bytes) noexcept {
    if (!memory) return;
    const std::lock_guard lock(mutex_);
    const auto owner = owners_.find(memory);
    size_t size = exact_ && owner == owners_.end() ? bytes : rounded(bytes);
    if (const auto larger = larger_.find(memory); larger != larger_.end()) {
        size = larger->second;
        larger_.erase(larger);
    }
    stats_.current_bytes -= static_cast<int64_t>(size);
    if (owner != owners_.end()) {
        const std::shared_ptr<BlockPool> pool = owner->second;
        owners_.erase(owner);
        --pool->lent;
        if (pool->open) {
            stats_.cached_bytes += static_cast<int64_t>(size);
            return pool->free[size].push_back(memory);
        }
    }
    if (in_use.of == this && in_use.fixed)
        in_use.later.emplace_back(memory, size);
    else
        take_back(memory, size);
}

void BlockCache::take_back(void* memory, size_t size) {
    if (exact_) return give_back(memory);
    stats_.cached_bytes += static_cast<int64_t>(size);
    free_[size].push_back(memory);
}

void BlockCache::use_pool(const std::shared_ptr<BlockPool>& pool, bool fixed) {
    const std::lock_guard lock(mutex_);
    in_use.of = pool ? this : nullptr;
    in_use.pool = pool;
    in_use.fixed = fixed;
    if (fixed) return;
    for (const auto& [memory, size] : in_use.later) take_back(memory, size);
    in_use.later.clear();
}

void BlockCache::close_pool(BlockPool& pool) {
    const std::lock_guard lock(mutex_);
    pool.open = false;
    drop(pool.free);
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
    drop(free_);
}

// A cached block of at least `bytes` and at most `limit`, else a new one.
void* BlockCache::lend(size_t bytes, size_t limit) {
    if (bytes == 0) return nullptr;
    const std::lock_guard lock(mutex_);
    BlockPool* const pool = in_use.of == this ? in_use.pool.get() : nullptr;
    Blocks& cached = pool ? pool->free : free_;
    size_t size = exact_ && !pool ? bytes : rounded(bytes);
    void* memory = nullptr;
    const auto blocks = cached.lower_bound(size);
    if (blocks != cached.end() && blocks->first <= limit) {
        if (blocks->first > size) larger_[blocks->second.back()] = blocks->first;
        size = blocks->first;
        memory = blocks->second.back();
        blocks->second.pop_back();
        if (blocks->second.empty()) cached.erase(blocks);
        stats_.cached_bytes -= static_cast<int64_t>(size);
    } else {
        if (pool && in_use.fixed)
            throw PoolExhausted("[capture] the step asks for memory that it did not ask for before");
        memory = new_block(size);
        if (pool) ++pool->asked;
    }
    if (pool) {
        owners_[memory] = in_use.pool;
        ++pool->lent;
    }
    stats_.current_bytes += static_cast<int64_t>(size);
    stats_.peak_bytes = std::max(stats_.peak_bytes, stats_.current_bytes);
    if (poison_) fill_with_nan(memory, size);
    return memory;
}

void* BlockCache::new_block(size_t size) {
    void* memory = ask_system(size);
    if (!memory) {  // blocks of other sizes may be lying in the cache
        drop(free_);
        memory = ask_system(size);
    }
    check(memory != nullptr,
          "[memory] out of memory {}: {} MB asked for, {} MB in use; use a smaller picture or batch",
          describe(), size >> 20, stats_.current_bytes >> 20);
    ++stats_.allocations;
    return memory;
}

void BlockCache::drop(Blocks& cached) {
    for (auto& [size, blocks] : cached)
        for (void* block : blocks) {
            stats_.cached_bytes -= static_cast<int64_t>(size);
            give_back(block);
        }
    cached.clear();
}

}  // namespace lily
