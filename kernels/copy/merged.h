// SPDX-License-Identifier: MIT
// What the copies of all devices do before they start.
#pragma once

#include "kernels/common/on_device.h"
#include "kernels/copy/copy.h"

namespace lily::kernels {
inline namespace LILY_FORMULAS {

// Every layout is (N, C/block, M, block): block 1 is contiguous, block C is channels last.
inline int64_t block_of(int64_t layout, int64_t channels) {
    return layout == kChannelsLast ? channels : layout;
}

// The same copy with few dimensions: sizes of 1 dropped, and neighbours that both sides walk through alike
// merged.
inline StridedCopy merged(const StridedCopy& s) {
    StridedCopy m;
    for (int d = 0; d < s.rank; ++d) {
        if (s.size[d] == 1) continue;
        const int last = m.rank - 1;
        const bool joins = m.rank > 0 && m.from_stride[last] == s.from_stride[d] * s.size[d] &&
                           m.to_stride[last] == s.to_stride[d] * s.size[d];
        const int at = joins ? last : m.rank++;
        m.size[at] = joins ? m.size[at] * s.size[d] : s.size[d];
        m.from_stride[at] = s.from_stride[d];
        m.to_stride[at] = s.to_stride[d];
    }
    if (m.rank == 0) m.size[m.rank++] = 1;  // one element
    return m;
}

}  // namespace LILY_FORMULAS
}  // namespace lily::kernels
