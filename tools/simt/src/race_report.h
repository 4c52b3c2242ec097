// SPDX-License-Identifier: MIT
// The text of a race: both accesses, and what would have ordered them.
#pragma once

#include "races.h"
#include "simt/simt.h"
#include "stream_order.h"

namespace simt {

struct RaceReport {
    bool global = false, write = false, other_write = false, same_warp = false;
    uintptr_t address = 0;
    unsigned warp = 0;
    uint32_t site = 0, info = 0;
    Slot other{};
};
// A record has the low half of the address that a call returns to: the other half is near the kernel.
const void* whole_site(const void* kernel, uint32_t site);
// What that work did, by a slot that bears its stamp (of a kernel).
Fault::Access access_of(const PastWork& work, Slot slot, bool writes);
[[noreturn]] void report_race(Worker& worker, const RaceReport& race);

}  // namespace simt
