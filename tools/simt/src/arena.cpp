// SPDX-License-Identifier: MIT
#include "arena.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "gpu.h"
#include "races.h"
#include "sanitizer.h"
#include "symbols.h"

namespace simt {

constinit Shadow g_shadow;

namespace {

constexpr size_t kAlignment = 256;  // all that cudaMalloc promises: addresses here are never multiples of 512
constexpr size_t kStep = size_t{16} << 20;

void* reserve(size_t bytes, int protection) {
    void* memory = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? nullptr : memory;
}

// Sets or clears one bit per byte of [offset, offset + bytes).
void set_bits(uint8_t* map, size_t offset, size_t bytes, bool value) {
    const auto change = [&](size_t byte, unsigned mask) {
        if (value)
            __atomic_fetch_or(map + byte, static_cast<uint8_t>(mask), __ATOMIC_RELAXED);
        else
            __atomic_fetch_and(map + byte, static_cast<uint8_t>(~mask), __ATOMIC_RELAXED);
    };
    const size_t end = offset + bytes;
    size_t i = offset;
    for (; i < end && i % 8 != 0; ++i) change(i / 8, 1u << i % 8);
    if (i < end) std::memset(map + i / 8, value ? 0xff : 0, (end - i) / 8);
    for (i += (end - i) / 8 * 8; i < end; ++i) change(i / 8, 1u << i % 8);
}

bool all_bits(const uint8_t* map, size_t offset, size_t bytes) {
    const size_t end = offset + bytes;
    for (size_t i = offset; i < end;) {
        if (i % 8 == 0 && i + 8 <= end) {
            if (map[i / 8] != 0xff) return false;
            i += 8;
        } else {
            if ((map[i / 8] >> i % 8 & 1) == 0) return false;
            ++i;
        }
    }
    return true;
}

}  // namespace

Arena& Arena::instance() {
    static Arena arena;
    return arena;
}

Arena::Arena() {
    for (size_t size = size_t{1} << 40; size >= size_t{1} << 34; size /= 2) {
        void* memory = reserve(size, PROT_NONE);
        void* allocated = reserve(size / 8, PROT_READ | PROT_WRITE);
        void* initialised = reserve(size / 8, PROT_READ | PROT_WRITE);
        if (memory && allocated && initialised) {
            g_shadow.allocated = static_cast<uint8_t*>(allocated);
            g_shadow.initialised = static_cast<uint8_t*>(initialised);
            g_shadow.base = reinterpret_cast<uintptr_t>(memory);
            g_shadow.size = size;
            top_ = committed_ = g_shadow.base;
            return;
        }
        if (memory) munmap(memory, size);
        if (allocated) munmap(allocated, size / 8);
        if (initialised) munmap(initialised, size / 8);
    }
    throw std::bad_alloc();
}

void Arena::commit(uintptr_t end) {
    if (end <= committed_) return;
    const size_t bytes = (end - committed_ + kStep - 1) / kStep * kStep;
    mprotect(reinterpret_cast<void*>(committed_), bytes, PROT_READ | PROT_WRITE);
    poison(reinterpret_cast<void*>(committed_), bytes);
    committed_ += bytes;
}

void* Arena::allocate(size_t bytes, bool pinned, const void* site) {
    if (!pinned && bytes > capacity_ - std::min(used_, capacity_)) return nullptr;
    const size_t guard = 1024 + std::min<size_t>(bytes / 2, size_t{1} << 20);
    uintptr_t address = (top_ + guard + 511) / 512 * 512 + (pinned ? 0 : kAlignment);
    if (pinned) address = (address + 4095) / 4096 * 4096;
    const uintptr_t end = address + bytes;
    if (end + guard + kStep > g_shadow.base + g_shadow.size) return nullptr;
    commit(end + guard);
    top_ = end;
    void* memory = reinterpret_cast<void*>(address);
    unpoison(memory, bytes);
    std::memset(memory, does_work() ? 0xff : 0, bytes);
    set_bits(g_shadow.allocated, address - g_shadow.base, bytes, true);
    if (pinned || !does_work()) set_bits(g_shadow.initialised, address - g_shadow.base, bytes, true);
    if (!pinned) used_ += bytes;
    blocks_[address] = {address, bytes, pinned, false, site, nullptr, ++serial_};
    return memory;
}

void Arena::release(Block& block, const void* site) {
    block.freed = true;
    block.freed_at = site;
    if (!block.pinned) used_ -= block.bytes;
    set_bits(g_shadow.allocated, block.address - g_shadow.base, block.bytes, false);
    set_bits(g_shadow.initialised, block.address - g_shadow.base, block.bytes, false);
    forget_races(block.address, block.bytes, top_);
    // The addresses are never used again; the memory is given back where it is worth the call.
    const uintptr_t begin = (block.address + 4095) / 4096 * 4096,
                    end = (block.address + block.bytes) / 4096 * 4096;
    if (begin < end && end - begin >= size_t{256} << 10)
        madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
    else
        std::memset(reinterpret_cast<void*>(block.address), 0xff, block.bytes);
    poison(reinterpret_cast<void*>(block.address), block.bytes);
}

Block* Arena::at(const void* address) {
    const auto found = blocks_.find(reinterpret_cast<uintptr_t>(address));
    return found == blocks_.end() ? nullptr : &found->second;
}

Block* Arena::find(const void* address) {
    const auto wanted = reinterpret_cast<uintptr_t>(address);
    if (wanted - g_shadow.base >= g_shadow.size || blocks_.empty()) return nullptr;
    auto next = blocks_.upper_bound(wanted);
    if (next == blocks_.begin()) return &next->second;
    Block& before = std::prev(next)->second;
    const uintptr_t end = before.address + before.bytes;
    if (next == blocks_.end() || wanted < end || wanted - end <= next->second.address - wanted)
        return &before;
    return &next->second;
}

bool Arena::covers(const void* address, size_t bytes) const {
    const uintptr_t offset = reinterpret_cast<uintptr_t>(address) - g_shadow.base;
    return offset < g_shadow.size && bytes <= g_shadow.size - offset &&
           all_bits(g_shadow.allocated, offset, bytes);
}

void Arena::mark_initialised(const void* address, size_t bytes) {
    const uintptr_t offset = reinterpret_cast<uintptr_t>(address) - g_shadow.base;
    if (offset < g_shadow.size) set_bits(g_shadow.initialised, offset, bytes, true);
}

void Arena::copy_initialised(const void* to, const void* from, size_t bytes) {
    const uintptr_t target = reinterpret_cast<uintptr_t>(to) - g_shadow.base;
    const uintptr_t source = reinterpret_cast<uintptr_t>(from) - g_shadow.base;
    if (target >= g_shadow.size || source >= g_shadow.size) return;
    if (target % 8 == source % 8 && target % 8 == 0 && bytes >= 8) {
        std::memmove(g_shadow.initialised + target / 8, g_shadow.initialised + source / 8, bytes / 8);
        for (size_t i = bytes / 8 * 8; i < bytes; ++i)
            set_bits(g_shadow.initialised, target + i, 1, all_bits(g_shadow.initialised, source + i, 1));
        return;
    }
    for (size_t i = 0; i < bytes; ++i)
        set_bits(g_shadow.initialised, target + i, 1, all_bits(g_shadow.initialised, source + i, 1));
}

std::string Arena::describe(const void* address) {
    const Block* block = find(address);
    if (block == nullptr) return "not in any allocation of the device";
    const auto wanted = reinterpret_cast<uintptr_t>(address);
    const Frame from = locate(block->site);
    std::string place;
    if (wanted < block->address)
        place = std::to_string(block->address - wanted) + " bytes before the";
    else if (wanted >= block->address + block->bytes)
        place = std::to_string(wanted - block->address - block->bytes) + " bytes after the end of the";
    else
        place = "byte " + std::to_string(wanted - block->address) + " of the";
    place += " " + std::to_string(block->bytes) + (block->pinned ? " pinned" : "") + " bytes allocated at " +
             from.file + ":" + std::to_string(from.line);
    if (block->freed) {
        const Frame at = locate(block->freed_at);
        place += ", freed at " + at.file + ":" + std::to_string(at.line);
    }
    return place;
}

std::vector<Allocation> Arena::living() const {
    std::vector<Allocation> result;
    for (const auto& [address, block] : blocks_) {
        if (block.freed) continue;
        const Frame from = locate(block.site);
        result.push_back(
            {reinterpret_cast<const void*>(address), block.bytes, block.pinned, from.file, from.line});
    }
    return result;
}

void Arena::clear() {
    for (auto& [address, block] : blocks_)
        if (!block.freed) release(block, nullptr);
    forget_races();
}

}  // namespace simt
