// SPDX-License-Identifier: MIT
// Kernels with one mistake each.
#include "tests/simt/kernels.h"
#include "tests/simt/shared.h"

namespace lily::testing {
namespace {

__device__ int global_index() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }

__global__ void read_beyond_kernel(const float* x, float* y, int shift) {
    const int i = global_index();
    y[i] = x[i + shift];  // fault: read_beyond
}

__global__ void write_beyond_kernel(float* y, int shift) {
    y[global_index() + shift] = 1;  // fault: write_beyond
}

__global__ void read_shared_beyond_kernel(float* y, int shift) {
    __shared__ float tile[64];
    __shared__ float other[64];
    tile[threadIdx.x] = 1;
    other[threadIdx.x] = 2;
    __syncthreads();
    y[threadIdx.x] =
        tile[static_cast<int>(threadIdx.x) + shift] + other[threadIdx.x];  // fault: read_shared_beyond
}

__global__ void write_shared_beyond_kernel(float* y, int shift) {
    float* tile = dynamic_shared<float>();
    tile[static_cast<int>(threadIdx.x) + shift] = 1;  // fault: write_shared_beyond
    y[threadIdx.x] = 1;
}

__global__ void read_unwritten_shared_kernel(float* y) {
    __shared__ float tile[64];
    if (threadIdx.x != 5) tile[threadIdx.x] = 1;
    __syncthreads();
    y[threadIdx.x] = tile[threadIdx.x];  // fault: read_unwritten_shared
}

// With the values of the round before in place, a missing barrier is a race, and no uninitialised read.
__global__ void shared_race_kernel(float* y, bool barrier) {
    __shared__ float tile[64];
    tile[threadIdx.x] = 0;
    __syncthreads();
    tile[threadIdx.x] = static_cast<float>(threadIdx.x);
    if (barrier) __syncthreads();
    y[threadIdx.x] = tile[(threadIdx.x + 1) % blockDim.x];  // fault: shared_race
}

__global__ void global_race_kernel(float* y, bool atomic) {
    if (threadIdx.x != 0) return;
    if (atomic)
        atomicAdd(y, 1.0f);
    else
        *y = static_cast<float>(blockIdx.x);  // fault: global_race
}

__global__ void neighbours_in_place_kernel(float* y, bool barrier) {
    const float next = y[(threadIdx.x + 1) % blockDim.x];
    if (barrier) __syncthreads();
    y[threadIdx.x] = next;  // fault: neighbours_in_place
}

__global__ void half_a_barrier_kernel(float* y) {
    if (threadIdx.x < blockDim.x / 2) __syncthreads();  // fault: half_a_barrier
    y[threadIdx.x] = 1;
}

__global__ void two_barriers_kernel(float* y) {
    if (threadIdx.x < blockDim.x / 2) {
        y[threadIdx.x] = 1;
        __syncthreads();
    } else {
        y[threadIdx.x] = 2;
        __syncthreads();  // fault: two_barriers
    }
}

__global__ void early_exit_shuffle_kernel(float* y, int n) {
    if (static_cast<int>(threadIdx.x) >= n) return;
    y[threadIdx.x] = __shfl_xor_sync(0xffffffffu, 1.0f, 1);  // fault: early_exit_shuffle
}

__global__ void divergent_shuffle_kernel(float* y) {
    float value = 1;
    if (threadIdx.x < 16) value = __shfl_xor_sync(0xffffffffu, value, 1);  // fault: divergent_shuffle
    __syncthreads();
    y[threadIdx.x] = value;
}

__global__ void misaligned_kernel(const float* x, float* y) {
    const float4 v = *reinterpret_cast<const float4*>(x + 1);  // fault: misaligned
    y[threadIdx.x] = v.x + v.y + v.z + v.w;
}

__global__ void give_up_kernel(int at) {
    if (static_cast<int>(threadIdx.x) == at) __trap();  // fault: give_up
}

__global__ void copy_by_memcpy_kernel(const unsigned char* x, unsigned char* y, int bytes) {
    memcpy(y, x, static_cast<size_t>(bytes));  // fault: copy_by_memcpy
}

__global__ void fill_by_memset_kernel(unsigned char* y, int bytes) {
    memset(y, 7, static_cast<size_t>(bytes));  // fault: fill_by_memset
}

using Function = int (*)(int);
__device__ int next_number(int x) { return x + 1; }

__global__ void call_nothing_kernel(int* y, bool nothing) {
    const Function function = nothing ? nullptr : next_number;
    y[threadIdx.x] = function(static_cast<int>(threadIdx.x));  // fault: call_nothing
}

__global__ void divide_kernel(const int* x, int* y) {
    y[threadIdx.x] = 100 / x[threadIdx.x];  // fault: divide
}

__device__ __attribute__((noinline)) int deeper(int* y, int depth) {
    volatile int kept[64];
    kept[depth % 64] = depth;
    return depth == 0 ? *y : deeper(y, depth - 1) + kept[depth % 64];
}
__global__ void recurse_kernel(int* y, int depth) { y[1] = deeper(y, depth); }

__global__ void spin_on_block_kernel(unsigned* flags, unsigned raised_by) {
    if (threadIdx.x == 0 && blockIdx.x == raised_by) atomicExch(flags, 1u);
    if (threadIdx.x == 0 && blockIdx.x != raised_by)
        while (atomicAdd(flags, 0u) == 0) {  // fault: spin_on_block
        }
    __syncthreads();
}

__global__ void spin_in_block_kernel(unsigned* y, bool raise) {
    __shared__ unsigned flag;
    if (threadIdx.x == 0) flag = 0;
    __syncthreads();
    if (threadIdx.x == blockDim.x - 1 && raise) atomicExch(&flag, 1u);
    if (threadIdx.x == 0) {
        while (atomicCAS(&flag, 1u, 2u) == 0) {  // fault: spin_in_block
        }
        *y = 1;
    }
    __syncthreads();
}

__global__ void grid_barrier_kernel(unsigned* count, int* x, int* y) {
    const int i = global_index(), n = static_cast<int>(gridDim.x * blockDim.x);
    x[i] = i;
    __syncthreads();
    if (threadIdx.x == 0) {
        __threadfence();
        atomicAdd(count, 1u);
        while (atomicAdd(count, 0u) < gridDim.x) {
        }
        __threadfence();
    }
    __syncthreads();
    y[i] = x[n - 1 - i];
}

__global__ void no_end_kernel(int* y, int wanted) {
    volatile int state = 1;
    while (state != wanted) state = (state + 2) % 1000;  // fault: no_end
    *y = state;
}

}  // namespace

cudaError_t copy_by_memcpy(const Shape& shape, const unsigned char* x, unsigned char* y, int bytes) {
    return launch(shape, copy_by_memcpy_kernel, x, y, bytes);
}
cudaError_t fill_by_memset(const Shape& shape, unsigned char* y, int bytes) {
    return launch(shape, fill_by_memset_kernel, y, bytes);
}
cudaError_t call_nothing(const Shape& shape, int* y, bool nothing) {
    return launch(shape, call_nothing_kernel, y, nothing);
}
cudaError_t divide(const Shape& shape, const int* x, int* y) { return launch(shape, divide_kernel, x, y); }
cudaError_t recurse(const Shape& shape, int* y, int depth) { return launch(shape, recurse_kernel, y, depth); }
cudaError_t spin_on_block(const Shape& shape, unsigned* flags, unsigned raised_by) {
    return launch(shape, spin_on_block_kernel, flags, raised_by);
}
cudaError_t spin_in_block(const Shape& shape, unsigned* y, bool raise) {
    return launch(shape, spin_in_block_kernel, y, raise);
}
cudaError_t grid_barrier(const Shape& shape, unsigned* count, int* x, int* y) {
    return launch(shape, grid_barrier_kernel, count, x, y);
}
cudaError_t no_end(const Shape& shape, int* y, int wanted) { return launch(shape, no_end_kernel, y, wanted); }

cudaError_t read_beyond(const Shape& shape, const float* x, float* y, int shift) {
    return launch(shape, read_beyond_kernel, x, y, shift);
}
cudaError_t write_beyond(const Shape& shape, float* y, int shift) {
    return launch(shape, write_beyond_kernel, y, shift);
}
cudaError_t read_shared_beyond(const Shape& shape, float* y, int shift) {
    return launch(shape, read_shared_beyond_kernel, y, shift);
}
cudaError_t write_shared_beyond(const Shape& shape, float* y, int shift) {
    return launch(shape, write_shared_beyond_kernel, y, shift);
}
cudaError_t read_unwritten_shared(const Shape& shape, float* y) {
    return launch(shape, read_unwritten_shared_kernel, y);
}
cudaError_t shared_race(const Shape& shape, float* y, bool barrier) {
    return launch(shape, shared_race_kernel, y, barrier);
}
cudaError_t global_race(const Shape& shape, float* y, bool atomic) {
    return launch(shape, global_race_kernel, y, atomic);
}
cudaError_t neighbours_in_place(const Shape& shape, float* y, bool barrier) {
    return launch(shape, neighbours_in_place_kernel, y, barrier);
}
cudaError_t half_a_barrier(const Shape& shape, float* y) { return launch(shape, half_a_barrier_kernel, y); }
cudaError_t two_barriers(const Shape& shape, float* y) { return launch(shape, two_barriers_kernel, y); }
cudaError_t early_exit_shuffle(const Shape& shape, float* y, int n) {
    return launch(shape, early_exit_shuffle_kernel, y, n);
}
cudaError_t divergent_shuffle(const Shape& shape, float* y) {
    return launch(shape, divergent_shuffle_kernel, y);
}
cudaError_t misaligned(const Shape& shape, const float* x, float* y) {
    return launch(shape, misaligned_kernel, x, y);
}
cudaError_t give_up(const Shape& shape, int at) { return launch(shape, give_up_kernel, at); }

cudaError_t host_reads_device(const float* x, float* result) {
    *result = x[2];  // fault: host_reads_device
    return cudaSuccess;
}

}  // namespace lily::testing
