// SPDX-License-Identifier: MIT
// Blocks, and tiles of a warp. No grid: the blocks of a launch do not all live at once here.
#pragma once

#include "simt/device.h"

inline namespace simt_cuda {
namespace cooperative_groups {

class thread_block {
  public:
    __forceinline__ static void sync(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
        __syncthreads(file, line);
    }
    __forceinline__ static unsigned thread_rank() {
        return (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    }
    __forceinline__ static unsigned size() { return blockDim.x * blockDim.y * blockDim.z; }
    __forceinline__ static unsigned num_threads() { return size(); }
    __forceinline__ static dim3 group_index() { return blockIdx; }
    __forceinline__ static dim3 thread_index() { return threadIdx; }
};
__forceinline__ thread_block this_thread_block() { return {}; }

// Size neighbouring lanes: 1, 2, 4, ..., 32.
template <unsigned Size, class Parent = thread_block>
class thread_block_tile {
    static_assert(Size > 0 && Size <= 32 && (Size & (Size - 1)) == 0);

  public:
    __forceinline__ static unsigned thread_rank() { return thread_block::thread_rank() % Size; }
    __forceinline__ static unsigned meta_group_rank() { return thread_block::thread_rank() / Size; }
    __forceinline__ static unsigned meta_group_size() { return (thread_block::size() + Size - 1) / Size; }
    __forceinline__ static constexpr unsigned size() { return Size; }
    __forceinline__ static constexpr unsigned num_threads() { return Size; }
    __forceinline__ static unsigned mask() {
        const unsigned lanes = Size == 32 ? ~0u : (1u << (Size % 32)) - 1;
        return lanes << (thread_block::thread_rank() % 32 / Size * Size);
    }
    __forceinline__ static void sync() { __syncwarp(mask()); }
    template <class T>
    __forceinline__ T shfl(T value, int lane) const {
        return __shfl_sync(mask(), value, lane, Size);
    }
    template <class T>
    __forceinline__ T shfl_up(T value, unsigned delta) const {
        return __shfl_up_sync(mask(), value, delta, Size);
    }
    template <class T>
    __forceinline__ T shfl_down(T value, unsigned delta) const {
        return __shfl_down_sync(mask(), value, delta, Size);
    }
    template <class T>
    __forceinline__ T shfl_xor(T value, unsigned lanes) const {
        return __shfl_xor_sync(mask(), value, static_cast<int>(lanes), Size);
    }
    __forceinline__ int any(int predicate) const { return __any_sync(mask(), predicate); }
    __forceinline__ int all(int predicate) const { return __all_sync(mask(), predicate); }
    __forceinline__ unsigned ballot(int predicate) const {
        return __ballot_sync(mask(), predicate) >> (thread_block::thread_rank() % 32 / Size * Size);
    }
};

template <unsigned Size, class Parent>
__forceinline__ thread_block_tile<Size, Parent> tiled_partition(const Parent&) {
    return {};
}

template <class Group>
__forceinline__ void sync(const Group& group) {
    group.sync();
}

template <class T>
struct plus {
    T operator()(T a, T b) const { return a + b; }
};
template <class T>
struct less {
    T operator()(T a, T b) const { return b < a ? b : a; }
};
template <class T>
struct greater {
    T operator()(T a, T b) const { return a < b ? b : a; }
};

// in cooperative_groups/reduce.h of the toolkit
template <class Tile, class T, class Operation>
__forceinline__ T reduce(const Tile& tile, T value, Operation operation) {
    for (unsigned lanes = Tile::size() / 2; lanes > 0; lanes /= 2)
        value = operation(value, tile.shfl_xor(value, lanes));
    return value;
}

}  // namespace cooperative_groups
}  // namespace simt_cuda
