// SPDX-License-Identifier: MIT
#include "shadow.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <mutex>
#include <new>
#include <string>
#include <unordered_map>
#include <vector>

#include "report.h"

namespace simt {

Cells g_cells;

namespace {

constexpr size_t kRegion = size_t{64} << 10;  // of global memory: its cells are counted together
constexpr size_t kWordsShadow = kRegion / 4 * sizeof(Cell) + kRegion / 64 * sizeof(uint64_t),
                 kBytesShadow = kRegion * sizeof(Cell);
enum : uint8_t { unseen, watched, split, refused };

std::atomic<uint8_t>* g_regions = nullptr;
std::atomic<size_t> g_used = 0;
std::atomic<bool> g_full = false;
std::atomic<uint32_t> g_locks[1024];

size_t default_limit() {
    const char* asked = std::getenv("LILY_SIMT_SHADOW");
    if (asked != nullptr) return static_cast<size_t>(std::atoll(asked)) << 20;
    return static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE)) / 2;
}
std::atomic<size_t>& limit() {
    static std::atomic<size_t> chosen = default_limit();
    return chosen;
}

void* reserve(size_t bytes) {
    void* memory =
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    return memory;
}

bool take(size_t bytes) {
    if (g_used.fetch_add(bytes) + bytes <= limit()) return true;
    g_used -= bytes;
    if (!g_full.exchange(true))
        notice("the search for races has reached its limit of " + std::to_string(limit() >> 20) +
               " MiB of shadow memory: memory that is touched from here on is left out; LILY_SIMT_SHADOW=MiB "
               "sets another limit");
    return false;
}

std::mutex g_sites_mutex;
std::vector<uint32_t> g_sites;
std::unordered_map<uint32_t, uint32_t> g_numbers;

}  // namespace

Cells make_cells(size_t bytes) {
    const size_t words = bytes / 4 + 4;
    return {static_cast<Cell*>(reserve(words * sizeof(Cell))),
            static_cast<Cell*>(reserve(4 * words * sizeof(Cell))),
            static_cast<uint64_t*>(reserve(words / kLine * sizeof(uint64_t) + 64)), words};
}

void drop_cells(Cells& cells) {
    if (cells.count == 0) return;
    munmap(cells.words, cells.count * sizeof(Cell));
    munmap(cells.bytes, 4 * cells.count * sizeof(Cell));
    munmap(cells.lines, cells.count / kLine * sizeof(uint64_t) + 64);
    cells = {};
}

void clear_cells(Cells& cells) {
    if (cells.count == 0) return;
    madvise(cells.words, cells.count * sizeof(Cell), MADV_DONTNEED);
    madvise(cells.bytes, 4 * cells.count * sizeof(Cell), MADV_DONTNEED);
    madvise(cells.lines, cells.count / kLine * sizeof(uint64_t) + 64, MADV_DONTNEED);
}

void prepare_races() {
    if (g_cells.count != 0 || g_shadow.size == 0) return;
    g_cells = make_cells(g_shadow.size);
    g_regions = static_cast<std::atomic<uint8_t>*>(reserve(g_shadow.size / kRegion + 1));
}

void forget_races() {
    if (g_cells.count == 0) return;
    clear_cells(g_cells);
    madvise(g_regions, g_shadow.size / kRegion + 1, MADV_DONTNEED);
    g_used = 0;
    g_full = false;
}

// Addresses are never used again: a region where nothing is left has no need of its cells.
void forget_races(uintptr_t address, size_t bytes, uintptr_t top) {
    if (g_cells.count == 0) return;
    const size_t offset = address - g_shadow.base;
    for (size_t region = offset / kRegion; region * kRegion < offset + bytes; ++region) {
        const uint8_t* alive = g_shadow.allocated + region * kRegion / 8;
        if ((region + 1) * kRegion > top - g_shadow.base ||
            std::any_of(alive, alive + kRegion / 8, [](uint8_t bits) { return bits != 0; }))
            continue;
        const uint8_t state = g_regions[region];
        if (state == watched || state == split) {
            madvise(g_cells.words + region * kRegion / 4, kWordsShadow, MADV_DONTNEED);
            g_used -= kWordsShadow;
        }
        if (state == split) {
            madvise(g_cells.bytes + region * kRegion, kBytesShadow, MADV_DONTNEED);
            g_used -= kBytesShadow;
        }
        g_regions[region] = refused;
    }
}

bool may_watch(size_t offset) {
    std::atomic<uint8_t>& state = g_regions[offset / kRegion];
    if (state == unseen) {
        uint8_t expected = unseen;
        const bool got = take(kWordsShadow);
        if (!state.compare_exchange_strong(expected, got ? watched : refused) && got) g_used -= kWordsShadow;
    }
    return state != refused;
}

bool may_split(size_t offset) {
    std::atomic<uint8_t>& state = g_regions[offset / kRegion];
    if (state == split) return true;
    if (!take(kBytesShadow)) return false;
    uint8_t expected = watched;
    if (!state.compare_exchange_strong(expected, split)) g_used -= kBytesShadow;
    return true;
}

void lock_page(uint64_t page) {
    auto& lock = g_locks[page % std::size(g_locks)];
    while (lock.exchange(1, std::memory_order_acquire) != 0) __builtin_ia32_pause();
}
void unlock_page(uint64_t page) { g_locks[page % std::size(g_locks)].store(0, std::memory_order_release); }

uint32_t site_number(Worker& worker, uint32_t site) {
    auto& [known, number] = worker.sites[site % std::size(worker.sites)];
    if (known == site) return number;
    const std::lock_guard lock(g_sites_mutex);
    const auto [found, fresh] = g_numbers.try_emplace(site, static_cast<uint32_t>(g_sites.size()));
    if (fresh) g_sites.push_back(site);
    known = site;
    return number = found->second;
}

uint32_t site_of_number(uint32_t number) {
    const std::lock_guard lock(g_sites_mutex);
    return g_sites[number];
}

size_t shadow_used() { return g_used; }
void set_shadow_limit(size_t bytes) { limit() = bytes == 0 ? default_limit() : bytes; }

}  // namespace simt
