// SPDX-License-Identifier: MIT
// Comparisons of whole numbers, broadcast: z = 1 where `a op b` holds, else 0.
#pragma once

#include <cstdint>

#include "kernels/common/broadcast.h"
#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

// The sum of what it holds for: 1 less, 2 equal, 4 greater.
enum class Comparison : uint8_t { lt = 1, eq = 2, le = 3, gt = 4, ne = 5, ge = 6 };

constexpr uint8_t holds(Comparison op, int64_t a, int64_t b) {
    const auto bits = static_cast<unsigned>(op);
    return static_cast<uint8_t>((bits & (a < b)) | (bits >> 1 & (a == b)) | (bits >> 2 & (a > b)));
}

struct CompareKernels {
    void (*compare)(Queue&, Comparison op, const BroadcastShape&, const int64_t* a, const int64_t* b,
                    uint8_t* z);
};
const CompareKernels& compare(Device device);
const CompareKernels& compare_on(simt::Gpu);  // compare.cu
const CompareKernels& compare_on(cuda::Gpu);

}  // namespace lily::kernels
