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
};
// Waits until every lane of the mask has called it with the same operation and mask, then gives each its
// result.
uint64_t collective(Collective operation, unsigned mask, uint64_t value, int argument, int width);

}  // namespace simt
