// SPDX-License-Identifier: MIT
// Whether there is the memory for what a program is asked to do, before it begins.
#pragma once

#include <string>

#include "framework/error.h"
#include "framework/memory_limit.h"
#include "kernels/common/parallel.h"

namespace lily {

// Throws unless there are `megabytes`, and beside them in the address space `mapped`, which is never filled
// (libraries), and the threads' stacks. `what`: the subject of the message; `remedy`: what to do.
inline void require_memory(const std::string& what, double megabytes, double mapped,
                           const std::string& remedy) {
    const auto require = [&](double needed, const MemoryLimit& limit, const char* other) {
        check(needed < limit.bytes / 1e6, "{} needs about {:.0f} MB, {} {:.0f}; {}{}", what, needed, limit.by,
              limit.bytes / 1e6, remedy, other);
    };
    constexpr double kStack = 9;
    require(megabytes, resident_limit(), "");
    if (const auto limit = address_space_limit())
        require(megabytes + mapped + 2 * kStack * kernels::max_threads(), *limit,
                ", or raise that limit");  // ours and OpenMP's
}

}  // namespace lily
