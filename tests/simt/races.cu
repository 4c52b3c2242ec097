// SPDX-License-Identifier: MIT
// Two lines that race bear the comment "race: <name>".
#include "tests/simt/races.h"

#if __has_include(<cuda/atomic>)
#include <cuda/atomic>
#endif

namespace lily::testing {
namespace {

__device__ int global_index() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }

__device__ void do_fence(Fence fence) {
    if (fence == Fence::block) __threadfence_block();
    if (fence == Fence::device) __threadfence();
}

__global__ void neighbour_sum_kernel(const float* x, float* y, int n) {
    const int i = global_index();
    const float next = i + 1 < n ? x[i + 1] : 0;  // race: neighbour_sum
    __syncthreads();
    if (i < n) y[i] = next + 1;  // race: neighbour_sum
}

__global__ void copy_and_reverse_kernel(const float* x, float* y, float* z, Part part) {
    const int i = global_index(), n = static_cast<int>(gridDim.x * blockDim.x);
    if (part != Part::second) y[i] = x[i];  // race: copy_and_reverse
    __syncthreads();
    if (part != Part::first) z[i] = y[n - 1 - i];  // race: copy_and_reverse
}

__global__ void exchange_max_kernel(const float* x, float* y, bool exchange) {
    const float value = x[global_index()];
    if (exchange) {
        atomicExch(y, fmaxf(*y, value));  // race: exchange_max
        return;
    }
    auto* word = reinterpret_cast<unsigned*>(y);
    unsigned seen = atomicAdd(word, 0u);
    while (__uint_as_float(seen) < value) {
        const unsigned before = atomicCAS(word, seen, __float_as_uint(value));
        if (before == seen) break;
        seen = before;
    }
}

__global__ void last_block_adds_kernel(float* partial, unsigned* ticket, float* y, Fence fence,
                                       bool take_ticket) {
    __shared__ bool last;
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = static_cast<float>(blockIdx.x);  // race: last_block_adds
        do_fence(fence);
        last = take_ticket ? atomicAdd(ticket, 1u) == gridDim.x - 1 : blockIdx.x == gridDim.x - 1;
    }
    __syncthreads();
    if (!last) return;
    float sum = 0;
    for (unsigned b = threadIdx.x; b < gridDim.x; b += blockDim.x)
        sum += partial[b];  // race: last_block_adds
    atomicAdd(y, sum);
}

__global__ void last_block_adds_all_kernel(float* partial, unsigned* ticket, float* y, bool barrier,
                                           bool all_fence) {
    __shared__ bool last;
    partial[global_index()] = 1;  // race: last_block_adds_all
    if (all_fence) __threadfence();
    if (barrier) __syncthreads();
    if (threadIdx.x == 0) {
        if (!all_fence) __threadfence();
        last = atomicAdd(ticket, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last) return;
    float sum = 0;
    for (unsigned i = threadIdx.x; i < gridDim.x * blockDim.x; i += blockDim.x)
        sum += partial[i];  // race: last_block_adds_all
    atomicAdd(y, sum);
}

__device__ void raise(unsigned* flag, Flag how) {
    if (how == Flag::is_volatile) *const_cast<volatile unsigned*>(flag) = 1;
    if (how == Flag::exchange) atomicExch(flag, 1u);
    if (how == Flag::exchange_in_block) atomicExch_block(flag, 1u);
#if __has_include(<cuda/atomic>)
    using Device = cuda::atomic_ref<unsigned, cuda::thread_scope_device>;
    using Block = cuda::atomic_ref<unsigned, cuda::thread_scope_block>;
    if (how == Flag::ref) Device(*flag).store(1, cuda::memory_order_release);
    if (how == Flag::ref_relaxed) Device(*flag).store(1, cuda::memory_order_relaxed);
    if (how == Flag::ref_in_block) Block(*flag).store(1, cuda::memory_order_release);
#endif
}

__device__ bool raised(unsigned* flag, Flag how) {
    if (how == Flag::is_volatile) return *const_cast<volatile unsigned*>(flag) != 0;
    if (how == Flag::exchange) return atomicAdd(flag, 0u) != 0;
    if (how == Flag::exchange_in_block) return atomicAdd_block(flag, 0u) != 0;
#if __has_include(<cuda/atomic>)
    using Device = cuda::atomic_ref<unsigned, cuda::thread_scope_device>;
    using Block = cuda::atomic_ref<unsigned, cuda::thread_scope_block>;
    if (how == Flag::ref) return Device(*flag).load(cuda::memory_order_acquire) != 0;
    if (how == Flag::ref_relaxed) return Device(*flag).load(cuda::memory_order_relaxed) != 0;
    if (how == Flag::ref_in_block) return Block(*flag).load(cuda::memory_order_acquire) != 0;
#endif
    return true;
}

__global__ void message_kernel(float* data, unsigned* flag, float* y, Flag how, Fence fence,
                               bool fence_after) {
    if (threadIdx.x != 0) return;
    if (blockIdx.x == 0) {
        *data = 5;  // race: message
        do_fence(fence);
        raise(flag, how);
    } else {
        while (!raised(flag, how)) {
        }
        if (fence_after) __threadfence();
        *y = *data;  // race: message
    }
}

__global__ void relay_kernel(float* data, unsigned* flags, float* y, bool fence) {
    if (threadIdx.x != 0) return;
    if (blockIdx.x == 0) *data = 5;  // race: relay
    if (blockIdx.x > 0) {
        while (atomicAdd(flags + blockIdx.x - 1, 0u) == 0) {
        }
        __threadfence();
    }
    if (blockIdx.x == 2) *y = *data;  // race: relay
    if (fence) __threadfence();
    atomicExch(flags + blockIdx.x, 1u);
}

__global__ void same_value_kernel(int* y, bool atomic) {
    if (threadIdx.x != 0) return;
    if (atomic)
        atomicExch(y, 7);
    else
        *y = 7;  // race: same_value
}

__global__ void count_in_block_kernel(unsigned* y) {
    atomicAdd_block(y, 1u);  // race: count_in_block
}

__global__ void bytes_kernel(unsigned char* x, unsigned char* y, bool barrier, bool in_shared) {
    __shared__ unsigned char tile[64];
    const int i = static_cast<int>(threadIdx.x);
    if (in_shared)
        tile[i] = static_cast<unsigned char>(i);  // race: bytes
    else
        x[i] = static_cast<unsigned char>(i);  // race: bytes
    if (barrier) __syncthreads();
    if (i == 2) y[0] = in_shared ? tile[0] : x[0];  // race: bytes
}

__global__ void many_barriers_kernel(int* y, int rounds, bool last_barrier) {
    const int i = static_cast<int>(threadIdx.x), n = static_cast<int>(blockDim.x);
    y[i] = i;  // race: many_barriers
    for (int round = 1; round < rounds; ++round) __syncthreads();
    if (last_barrier) __syncthreads();
    const int next = y[(i + n / 2) % n];  // race: many_barriers
    y[n + i] = next;
}

__global__ void volatile_reduction_kernel(const float* x, float* y, bool sync) {
    __shared__ float slots[32];
    volatile float* sums = slots;
    const int lane = static_cast<int>(threadIdx.x);
    sums[lane] = x[lane];
    if (sync) __syncwarp();
    for (int half = 16; half > 0; half /= 2) {
        if (lane < half) sums[lane] = sums[lane] + sums[lane + half];  // race: volatile_reduction
        if (sync) __syncwarp();
    }
    if (lane == 0) *y = sums[0];
}

__global__ void write_after_read_kernel(const float* x, float* y, float* z) {
    const float first = x[0];  // race: write_after_read
    z[global_index()] = first;
    if (blockIdx.x == gridDim.x - 1 && threadIdx.x == 0) *y = first + 1;  // race: write_after_read
}

__global__ void arrivals_kernel(unsigned* count, int* y) { y[atomicAdd(count, 1u)] = global_index(); }

// Lane i adds up i + 1 numbers of its row and leaves out every third.
__global__ void divergent_counts_kernel(const float* x, float* y, int n) {
    const int i = global_index();
    if (i >= n) return;
    float sum = 0;
    for (int k = 0; k <= i % 32; ++k) {
        sum += x[i * 32 + k];
        if ((i + k) % 3 == 0) sum += x[i * 32 + 31 - k];
    }
    if (i % 5 == 0) sum += 1;
    y[i] = sum;
}

}  // namespace

cudaError_t neighbour_sum(const Shape& shape, const float* x, float* y, int n) {
    return launch(shape, neighbour_sum_kernel, x, y, n);
}
cudaError_t copy_and_reverse(const Shape& shape, const float* x, float* y, float* z, Part part) {
    return launch(shape, copy_and_reverse_kernel, x, y, z, part);
}
cudaError_t exchange_max(const Shape& shape, const float* x, float* y, bool exchange) {
    return launch(shape, exchange_max_kernel, x, y, exchange);
}
cudaError_t last_block_adds(const Shape& shape, float* partial, unsigned* ticket, float* y, Fence fence,
                            bool take_ticket) {
    return launch(shape, last_block_adds_kernel, partial, ticket, y, fence, take_ticket);
}
cudaError_t last_block_adds_all(const Shape& shape, float* partial, unsigned* ticket, float* y, bool barrier,
                                bool all_fence) {
    return launch(shape, last_block_adds_all_kernel, partial, ticket, y, barrier, all_fence);
}
cudaError_t message(const Shape& shape, float* data, unsigned* flag, float* y, Flag how, Fence fence,
                    bool fence_after) {
    return launch(shape, message_kernel, data, flag, y, how, fence, fence_after);
}
cudaError_t relay(const Shape& shape, float* data, unsigned* flags, float* y, bool fence) {
    return launch(shape, relay_kernel, data, flags, y, fence);
}
cudaError_t same_value(const Shape& shape, int* y, bool atomic) {
    return launch(shape, same_value_kernel, y, atomic);
}
cudaError_t count_in_block(const Shape& shape, unsigned* y) {
    return launch(shape, count_in_block_kernel, y);
}
cudaError_t bytes(const Shape& shape, unsigned char* x, unsigned char* y, bool barrier, bool shared) {
    return launch(shape, bytes_kernel, x, y, barrier, shared);
}
cudaError_t many_barriers(const Shape& shape, int* y, int rounds, bool last_barrier) {
    return launch(shape, many_barriers_kernel, y, rounds, last_barrier);
}
cudaError_t volatile_reduction(const Shape& shape, const float* x, float* y, bool sync) {
    return launch(shape, volatile_reduction_kernel, x, y, sync);
}
cudaError_t write_after_read(const Shape& shape, const float* x, float* y, float* z) {
    return launch(shape, write_after_read_kernel, x, y, z);
}
cudaError_t arrivals(const Shape& shape, unsigned* count, int* y) {
    return launch(shape, arrivals_kernel, count, y);
}
cudaError_t divergent_counts(const Shape& shape, const float* x, float* y, int n) {
    return launch(shape, divergent_counts_kernel, x, y, n);
}

}  // namespace lily::testing
