// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

namespace lily::kernels {

// Maps in memory: (planes, h, w, lanes). lanes = 1 with planes = N·C is contiguous, lanes = b with planes =
// N·C/b is blocked by b, lanes = C with planes = N is channels last.
struct Planes {
    int64_t planes, h, w, lanes;

    constexpr int64_t row() const { return w * lanes; }  // elements
    constexpr int64_t numel() const { return planes * h * w * lanes; }
};

}  // namespace lily::kernels
