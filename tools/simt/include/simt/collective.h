// SPDX-License-Identifier: MIT
// The operations in which the lanes of a warp meet.
#pragma once

#include <cstdint>

namespace simt {

enum class Collective : uint32_t {
    shuffle,
    shuffle_up,
    shuffle_down,
    shuffle_xor,
    ballot,
    match_any,
    reduce_add,
    reduce_min,
    reduce_max,
    reduce_umin,
    reduce_umax,
    reduce_and,
    reduce_or,
    reduce_xor,
    sync,
    together,
};
// Waits until every lane of the mask has called it with the same operation and mask, then gives each its
// result.
uint64_t collective(Collective operation, unsigned mask, uint64_t value, int argument, int width);

// The whole warp meets, and the last lane to come does the work of all: run gets what each lane has brought.
struct Together {
    void (*run)(Together* const* lanes);
};
void together(Together& mine);

// A mistake that only the callee can see, such as a misaligned matrix: ends the kernel.
[[noreturn]] void refuse(const char* what);

// How far an atomic or a fence is heard: there is one device, so system is as good as device.
enum class Scope : uint8_t { block, device, system };
void fence(Scope scope);
// Of the calling thread's atomics from here on.
void set_scope(Scope scope);

// cp.async: the copy happens when it is waited for, and until then the destination counts as never written.
void begin_copy(void* to, const void* from, unsigned bytes, unsigned zeros);
void commit_copies();
void wait_for_copies(unsigned all_but);

}  // namespace simt
