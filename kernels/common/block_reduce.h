// SPDX-License-Identifier: MIT
// Folding one value per thread into one per block, in a fixed order: the same bits in every run. There are no
// float atomics in this library; sums over blocks go through scratch memory and a second kernel.
#pragma once

#include "kernels/common/launch.h"

namespace lily::kernels::LILY_CUDA_DEVICE {

inline constexpr int kWarp = 32;

struct Add {
    template <class T>
    __device__ T operator()(T a, T b) const {
        return a + b;
    }
};

// NaN wins.
struct Maximum {
    template <class T>
    __device__ T operator()(T a, T b) const {
        return a > b || a != a ? a : b;
    }
};

// Of the 32 lanes; lane 0 has the result.
template <class T, class Fold>
__device__ T warp_reduce(T value, Fold fold) {
    for (int step = kWarp / 2; step > 0; step /= 2)
        value = fold(value, __shfl_down_sync(0xffffffffu, value, step));
    return value;
}

// Of all kThreads threads of the block (a multiple of 32), which all have to call it; every thread gets the
// result.
template <int kThreads, class T, class Fold>
__device__ T block_reduce(T value, Fold fold) {
    constexpr int kWarps = kThreads / kWarp;
    static_assert(kThreads % kWarp == 0 && kWarps <= kWarp);
    __shared__ T partial[kWarps];
    value = warp_reduce(value, fold);
    __syncthreads();  // an earlier call's readers have gone
    if (threadIdx.x % kWarp == 0) partial[threadIdx.x / kWarp] = value;
    __syncthreads();
    T total = partial[0];
    for (int warp = 1; warp < kWarps; ++warp) total = fold(total, partial[warp]);
    return total;
}

}  // namespace lily::kernels::LILY_CUDA_DEVICE
