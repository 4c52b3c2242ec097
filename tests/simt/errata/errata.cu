// SPDX-License-Identifier: MIT
#include "tests/simt/errata/errata.h"

namespace lily::testing {
namespace {

constexpr int kCount = 512;

__device__ int global_index() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }

// The sums of the warps go into an array that warp 0 sets to zero first.
__global__ void zeroed_partials_kernel(const float* x, float* y, bool fixed) {
    __shared__ float partial[32];
    const unsigned t = threadIdx.x, warp = t / 32;
    if (warp == 0) partial[t] = 0;  // erratum: zeroed_partials
    if (fixed) __syncthreads();
    float sum = x[t];
    for (int off = 16; off > 0; off /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, off);
    if (t % 32 == 0) partial[warp] = sum;  // erratum: zeroed_partials
    __syncthreads();
    if (t == 0) *y = partial[0] + partial[1] + partial[2] + partial[3];
}

__device__ float block_sum(float* buffer, float value, bool wait_first) {
    if (wait_first) __syncthreads();
    buffer[threadIdx.x] = value;  // erratum: one_buffer_twice
    __syncthreads();
    float sum = 0;
    for (unsigned i = 0; i < blockDim.x; ++i) sum += buffer[i];  // erratum: one_buffer_twice
    return sum;
}
// Mean and variance by one buffer: a fast warp writes squares where a slow one still reads values.
__global__ void one_buffer_twice_kernel(const float* x, float* y, bool fixed) {
    __shared__ float buffer[64];
    const float value = x[threadIdx.x], mean = block_sum(buffer, value, false) / 64;
    y[threadIdx.x] = block_sum(buffer, (value - mean) * (value - mean), fixed) / 64;
}

// A batch of indices is loaded into shared memory while the other warps still use the last one.
__global__ void reloaded_indices_kernel(const float* x, float* y, bool fixed) {
    __shared__ int index[64];
    float sum = 0;
    for (int batch = 0; batch < 4; ++batch) {
        if (threadIdx.x < 64)
            index[threadIdx.x] = batch * 64 + static_cast<int>(threadIdx.x);  // erratum: reloaded_indices
        __syncthreads();
        sum += x[index[63 - threadIdx.x % 64]];  // erratum: reloaded_indices
        if (fixed) __syncthreads();
    }
    y[threadIdx.x] = sum;
}

// Thread 0 hands a number to all in each round; it may be a round ahead.
__global__ void carried_scalar_kernel(const float* x, float* y, bool fixed) {
    __shared__ float scale;
    float value = x[threadIdx.x];
    for (int round = 0; round < 3; ++round) {
        if (threadIdx.x == 0) scale = value + 1;  // erratum: carried_scalar
        __syncthreads();
        value = value / scale;  // erratum: carried_scalar
        if (fixed) __syncthreads();
    }
    y[threadIdx.x] = value;
}

// Thread 0 adds up what the others have hardly written.
__global__ void sum_by_one_kernel(const float* x, float* y, bool fixed) {
    __shared__ float buffer[64];
    buffer[threadIdx.x] = x[threadIdx.x];
    if (fixed) __syncthreads();
    if (threadIdx.x != 0) return;
    float sum = 0;
    for (int i = 0; i < 64; ++i) sum += buffer[i];  // erratum: sum_by_one
    *y = sum;
}

// The warp's reduction by volatile alone, from the days of warps in lockstep.
__global__ void lockstep_reduction_kernel(const float* x, float* y, bool fixed) {
    __shared__ float buffer[64];
    volatile float* sums = buffer;
    const unsigned t = threadIdx.x;
    sums[t] = x[t];
    __syncthreads();
    if (t >= 32) return;
    for (unsigned half = 32; half > 0; half /= 2) {
        const float other = sums[t + half < 64 ? t + half : t];  // erratum: lockstep_reduction
        if (fixed) __syncwarp();
        if (t < half) sums[t] = sums[t] + other;  // erratum: lockstep_reduction
        if (fixed) __syncwarp();
    }
    if (t == 0) *y = sums[0];
}

// A scan in place: x[i] is new before x[i + offset] has read it.
__global__ void scan_in_place_kernel(const float* x, float* y, bool fixed) {
    __shared__ float buffer[64];
    const unsigned t = threadIdx.x;
    buffer[t] = x[t];
    __syncthreads();
    for (unsigned offset = 1; offset < 64; offset *= 2) {
        const float before = t >= offset ? buffer[t - offset] : 0;  // erratum: scan_in_place
        if (fixed) __syncthreads();
        buffer[t] += before;  // erratum: scan_in_place
        __syncthreads();
    }
    y[t] = buffer[t];
}

// The next tile of keys is loaded over the one that is still multiplied.
__global__ void reused_tile_kernel(const float* x, float* y, bool fixed) {
    __shared__ float tile[64];
    float sum = 0;
    for (int step = 0; step < 4; ++step) {
        tile[threadIdx.x] = x[64 * step + static_cast<int>(threadIdx.x)];  // erratum: reused_tile
        __syncthreads();
        for (int k = 0; k < 64; ++k) sum += tile[k];  // erratum: reused_tile
        if (fixed) __syncthreads();
    }
    y[threadIdx.x] = sum;
}

// Block 0 clears the overflow flag that the other blocks may have set already.
__global__ void cleared_flag_kernel(const float* x, float* y, bool fixed) {
    if (!fixed && global_index() == 0) *y = 0;                             // erratum: cleared_flag
    if (x[global_index()] > 100 && threadIdx.x == 0) atomicExch(y, 1.0f);  // erratum: cleared_flag
}

// All blocks along the second dimension store one and the same result.
__global__ void same_value_twice_kernel(const float* x, float* y, bool fixed) {
    if (!fixed || blockIdx.y == 0) y[threadIdx.x] = 2 * x[threadIdx.x];  // erratum: same_value_twice
}

// A barrier that the warps without work do not reach.
__global__ void barrier_of_some_warps_kernel(const float* x, float* y, bool fixed) {
    __shared__ float buffer[64];
    if (threadIdx.x < 64) {
        buffer[threadIdx.x] = x[threadIdx.x];
        if (!fixed) __syncthreads();  // erratum: barrier_of_some_warps
    }
    if (fixed) __syncthreads();
    if (threadIdx.x < 64) y[threadIdx.x] = buffer[63 - threadIdx.x];
}

// The bound check around the barrier: the last block has threads beyond the end.
__global__ void barrier_within_bounds_kernel(const float* x, float* y, bool fixed) {
    __shared__ float buffer[64];
    const int i = global_index(), n = 100;
    buffer[threadIdx.x] = i < n ? x[i] : 0;
    if (i < n) {
        if (!fixed) __syncthreads();  // erratum: barrier_within_bounds
    }
    if (fixed) __syncthreads();
    if (i < n) y[i] = buffer[63 - threadIdx.x];
}

// A full mask, while only 20 lanes have come.
__global__ void full_mask_kernel(const float* x, float* y, bool fixed) {
    if (threadIdx.x >= 20) return;
    const unsigned mask = fixed ? (1u << 20) - 1 : 0xffffffffu;
    y[threadIdx.x] = __shfl_sync(mask, x[threadIdx.x], 0);  // erratum: full_mask
}

// The neighbour on the left of the first.
__global__ void left_of_first_kernel(const float* x, float* y, bool fixed) {
    const int i = global_index();
    y[i] = x[i] - (fixed && i == 0 ? 0 : x[i - 1]);  // erratum: left_of_first
}

// The grid is rounded up, and the tail has no bound check.
__global__ void tail_without_bound_kernel(const float* x, float* y, bool fixed) {
    const int i = global_index();
    if (fixed && i >= kCount) return;
    const float value = x[i];  // erratum: tail_without_bound
    y[i] = value;
}

// max by an exchange of what was read without an atomic.
__global__ void exchanged_max_kernel(const float* x, float* y, bool fixed) {
    const float value = x[global_index()];
    if (fixed)
        atomicMax(reinterpret_cast<int*>(y), __float_as_int(value));  // not negative: ordered as integers
    else
        atomicExch(y, fmaxf(*y, value));  // erratum: exchanged_max
}

// The block's barrier taken for one of the grid.
__global__ void barrier_for_the_grid_kernel(const float* x, float* y, bool fixed) {
    const int i = global_index();
    y[i] = x[i];  // erratum: barrier_for_the_grid
    __syncthreads();
    const int other = fixed ? static_cast<int>(blockIdx.x * blockDim.x + (threadIdx.x + 1) % blockDim.x)
                            : (i + static_cast<int>(blockDim.x)) % kCount;
    const float value = y[other];  // erratum: barrier_for_the_grid
    __syncthreads();
    y[i] = value + 1;  // erratum: barrier_for_the_grid
}

// In place, with a neighbour from the next block.
__global__ void in_place_over_the_edge_kernel(const float* x, float* y, bool fixed) {
    const int i = global_index();
    const float* from = fixed ? x : y;
    const float next = i + 1 < kCount ? from[i + 1] : 0;  // erratum: in_place_over_the_edge
    __syncthreads();
    y[i] = next;  // erratum: in_place_over_the_edge
}

// The blocks' part sums are added up by the last block, without a fence before its ticket.
__global__ void ticket_without_fence_kernel(const float* x, float* y, bool fixed) {
    __shared__ bool last;
    if (threadIdx.x == 0) {
        y[1 + blockIdx.x] = x[blockIdx.x];  // erratum: ticket_without_fence
        if (fixed) __threadfence();
        last = atomicAdd(reinterpret_cast<unsigned*>(y + kCount - 1), 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last || threadIdx.x != 0) return;
    float sum = 0;
    for (unsigned b = 0; b < gridDim.x; ++b) sum += y[1 + b];  // erratum: ticket_without_fence
    *y = sum;
}

// A histogram, a scatter, a gradient of an embedding: += without an atomic.
__global__ void scattered_sum_kernel(const float* x, float* y, bool fixed) {
    const int row = global_index() % 7;
    if (fixed)
        atomicAdd(y + row, x[global_index()]);
    else
        y[row] += x[global_index()];  // erratum: scattered_sum
}

// As many threads as the array is long are taken for granted; there are fewer.
__global__ void assumed_block_kernel(const float* x, float* y, bool fixed) {
    __shared__ float buffer[256];
    for (unsigned i = threadIdx.x; i < (fixed ? 256u : blockDim.x); i += blockDim.x) buffer[i] = x[i];
    __syncthreads();
    y[threadIdx.x] = buffer[255 - threadIdx.x];  // erratum: assumed_block
}

// A flag between two blocks by an atomic that only holds within one.
__global__ void narrow_counter_kernel(const float* x, float* y, bool fixed) {
    auto* count = reinterpret_cast<unsigned*>(y);
    if (x[global_index()] < 0) return;
    if (fixed)
        atomicAdd(count, 1u);
    else
        atomicAdd_block(count, 1u);  // erratum: narrow_counter
}

// Four floats at once from a row whose length is no multiple of four.
__global__ void unaligned_row_kernel(const float* x, float* y, bool fixed) {
    const float* row = x + (fixed ? 8 : 7) * threadIdx.x;
    const float4 v = *reinterpret_cast<const float4*>(row);  // erratum: unaligned_row
    y[threadIdx.x] = v.x + v.y + v.z + v.w;
}

template <auto kKernel, unsigned kGrid, unsigned kBlock, unsigned kRows = 1>
cudaError_t run(const float* x, float* y, bool fixed) {
    return launch({.grid = dim3(kGrid, kRows), .block = kBlock}, kKernel, x, y, fixed);
}

cudaError_t empty_grid(const float* x, float* y, bool fixed) {
    const unsigned n = 0, blocks = (n + 255) / 256;
    if (fixed && blocks == 0) return cudaSuccess;
    return launch({.grid = blocks, .block = 256}, tail_without_bound_kernel, x, y, true);
}

}  // namespace

const std::vector<Erratum>& errata() {
    static const std::vector<Erratum> all = {
        {"zeroed_partials", "race", run<zeroed_partials_kernel, 1, 128>},
        {"one_buffer_twice", "race", run<one_buffer_twice_kernel, 1, 64>},
        {"reloaded_indices", "race", run<reloaded_indices_kernel, 1, 128>},
        {"carried_scalar", "race", run<carried_scalar_kernel, 1, 128>},
        {"sum_by_one", "uninitialised", run<sum_by_one_kernel, 1, 64>},
        {"lockstep_reduction", "race", run<lockstep_reduction_kernel, 1, 64>},
        {"scan_in_place", "race", run<scan_in_place_kernel, 1, 64>},
        {"reused_tile", "race", run<reused_tile_kernel, 1, 64>},
        {"cleared_flag", "race", run<cleared_flag_kernel, 8, 64>},
        {"same_value_twice", "race", run<same_value_twice_kernel, 1, 64, 2>},
        {"barrier_of_some_warps", "barrier", run<barrier_of_some_warps_kernel, 1, 128>},
        {"barrier_within_bounds", "barrier", run<barrier_within_bounds_kernel, 2, 64>},
        {"full_mask", "collective", run<full_mask_kernel, 1, 32>},
        {"left_of_first", "out_of_bounds", run<left_of_first_kernel, 2, 64>},
        {"tail_without_bound", "out_of_bounds", run<tail_without_bound_kernel, 3, 192>},
        {"exchanged_max", "race", run<exchanged_max_kernel, 8, 64>},
        {"barrier_for_the_grid", "race", run<barrier_for_the_grid_kernel, 8, 64>},
        {"in_place_over_the_edge", "race", run<in_place_over_the_edge_kernel, 8, 64>},
        {"ticket_without_fence", "race", run<ticket_without_fence_kernel, 8, 64>},
        {"scattered_sum", "race", run<scattered_sum_kernel, 8, 64>},
        {"assumed_block", "uninitialised", run<assumed_block_kernel, 1, 128>},
        {"narrow_counter", "race", run<narrow_counter_kernel, 8, 64>},
        {"unaligned_row", "misaligned", run<unaligned_row_kernel, 1, 32>},
        {"empty_grid", "launch", empty_grid},
    };
    return all;
}

}  // namespace lily::testing
