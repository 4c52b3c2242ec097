// SPDX-License-Identifier: MIT
// Where the cells of races.h are: of global memory one range, of shared memory one per worker. And how much
// of them there may be.
#pragma once

#include <cstddef>
#include <cstdint>

#include "arena.h"
#include "engine.h"
#include "races.h"

namespace simt {

// Slot::info: bits 0-1 the kind, then kUpdates, kSeveral, the lane, the site's number
enum Kind : uint32_t { plain, as_volatile, atomic_block, atomic_device };
constexpr uint32_t kUpdates = 4;  // an atomic that reads and writes, among the readers
constexpr uint32_t kSeveral = 8;  // lanes of that warp, one of which is named
constexpr unsigned kLaneShift = 4, kSiteShift = 9;
constexpr Kind kind_in(uint32_t info) { return static_cast<Kind>(info & 3); }
constexpr unsigned lane_of(uint32_t info) { return info >> kLaneShift & 31; }

// Call sites have numbers, which fit into a slot.
uint32_t site_number(Worker& worker, uint32_t site);
uint32_t site_of_number(uint32_t number);

extern Cells g_cells;
constexpr size_t kPage = 4096;  // of global memory: one lock
constexpr size_t kLine = 16;    // words that are often read together

struct Place {
    const Cells* cells;
    size_t offset;
};
inline Place place_of(const Worker& worker, uintptr_t address, bool global) {
    if (global) return {&g_cells, address - g_shadow.base};
    if (address - worker.shared < worker.shared_bytes) return {&worker.shared_cells, address - worker.shared};
    return {&worker.locals_cells, address - worker.locals};
}

// Of global memory: may its cells be used, or has the limit been reached? The latter is said once.
bool may_watch(size_t offset);
bool may_split(size_t offset);
void lock_page(uint64_t page);
void unlock_page(uint64_t page);

}  // namespace simt
