// SPDX-License-Identifier: MIT
// Pinned host memory that a copy is on its way to: nobody may look at it before the stream was waited for.
// Its pages are taken away from the host until then.
#pragma once

#include <cstddef>
#include <string>

namespace simt {

void begin_pending_copy(void* to, size_t bytes);
void end_pending_copy(void* to, size_t bytes);
void forget_pending_copies();

// While one lives, the runtime itself may touch all of it.
class PinnedAccess {
  public:
    PinnedAccess();
    ~PinnedAccess();
    PinnedAccess(const PinnedAccess&) = delete;
    PinnedAccess& operator=(const PinnedAccess&) = delete;
};

}  // namespace simt
