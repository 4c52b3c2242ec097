// SPDX-License-Identifier: MIT
// From an element's number to its coordinates.
#pragma once

#include "kernels/common/launch.h"

namespace lily::kernels::LILY_CUDA_DEVICE {

struct Division {
    int64_t quotient, remainder;
};

// a / b for a >= 0, b > 0. Most tensors have less than 2^32 elements, and division is several times faster
// then.
__device__ inline Division divide(int64_t a, int64_t b) {
    const int64_t q = (a | b) >> 32 == 0
                          ? static_cast<int64_t>(static_cast<uint32_t>(a) / static_cast<uint32_t>(b))
                          : a / b;
    return {q, a - q * b};
}

// The threads of a kernel that gives each element one thread.
inline constexpr int kElementThreads = 256;
inline Grid one_thread_each(int64_t n) {
    constexpr int64_t kMostBlocks = 1 << 20;
    return {blocks_for(n, kElementThreads, kMostBlocks), dim3(kElementThreads)};
}

}  // namespace lily::kernels::LILY_CUDA_DEVICE
