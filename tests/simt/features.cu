// SPDX-License-Identifier: MIT
// Kernels without a mistake: each feature of the device, with results that a test can check.
#include "tests/simt/kernels.h"
#include "tests/simt/shared.h"

#include <string>
#include <vector>

// Instrumented copies of functions that the runtime has too: the linker takes these, and it must not matter.
template class std::vector<unsigned>;
template std::string std::operator+(std::string&&, const std::string&);
template std::string std::operator+(const std::string&, const char*);

namespace lily::testing {
namespace {

__device__ int global_index() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }

__global__ void __launch_bounds__(256)
    scale_kernel(float* __restrict__ y, const float* __restrict__ x, float factor, int n) {
    for (int i = global_index(); i < n; i += static_cast<int>(gridDim.x * blockDim.x))
        y[i] = factor * __ldg(x + i);
}

template <class Index, class Extent>
__device__ __attribute__((noinline)) unsigned linear(const Index& index, const Extent& extent) {
    return (index.z * extent.y + index.y) * extent.x + index.x;
}

__global__ void coordinates_kernel(int* out) {
    const unsigned block = linear(blockIdx, gridDim);
    const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
    int* mine = out + 9 * (block * blockDim.x * blockDim.y * blockDim.z + thread);
    const unsigned numbers[9] = {threadIdx.x, threadIdx.y, threadIdx.z, blockIdx.x,        blockIdx.y,
                                 blockIdx.z,  blockDim.x,  gridDim.x,   unsigned(warpSize)};
    for (int i = 0; i < 9; ++i) mine[i] = static_cast<int>(numbers[i]);
}

__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) value += __shfl_xor_sync(0xffffffffu, value, offset);
    return value;
}

__global__ void block_sum_kernel(const float* x, float* y, int n) {
    __shared__ float partial[32];
    float sum = 0;
    for (int i = global_index(); i < n; i += static_cast<int>(gridDim.x * blockDim.x)) sum += x[i];
    sum = warp_sum(sum);
    const unsigned warp = threadIdx.x / 32, lane = threadIdx.x % 32;
    if (lane == 0) partial[warp] = sum;
    __syncthreads();
    if (warp == 0) {
        sum = warp_sum(lane < blockDim.x / 32 ? partial[lane] : 0);
        if (lane == 0) y[blockIdx.x] = sum;
    }
}

__global__ void reverse_dynamic_kernel(const int* x, int* y) {
    int* tile = dynamic_shared<int>();
    tile[threadIdx.x] = x[global_index()];
    __syncthreads();
    y[global_index()] = tile[blockDim.x - 1 - threadIdx.x];
}

__global__ void predicates_kernel(int* out) {
    const int odd = threadIdx.x % 2 != 0;
    const int count = __syncthreads_count(odd), all = __syncthreads_and(odd), any = __syncthreads_or(odd);
    const int really_all = __syncthreads_and(1), none = __syncthreads_or(0);
    if (threadIdx.x == 3) out[0] = count, out[1] = all, out[2] = any, out[3] = really_all, out[4] = none;
}

__global__ void shuffles_kernel(int* out) {
    const int lane = static_cast<int>(threadIdx.x), n = 32;
    out[lane] = __shfl_sync(0xffffffffu, lane * 10, 7);
    out[n + lane] = __shfl_up_sync(0xffffffffu, lane * 10, 2);
    out[2 * n + lane] = __shfl_down_sync(0xffffffffu, lane * 10, 3);
    out[3 * n + lane] = __shfl_xor_sync(0xffffffffu, lane * 10, 5);
    out[4 * n + lane] = __shfl_sync(0xffffffffu, lane * 10, 2, 8);
    out[5 * n + lane] = __shfl_down_sync(0xffffffffu, lane * 10, 2, 8);
}

__global__ void wide_shuffles_kernel(double* d, long long* l, float* f) {
    const int lane = static_cast<int>(threadIdx.x);
    d[lane] = __shfl_xor_sync(0xffffffffu, lane + 0.25, 1);
    l[lane] = __shfl_down_sync(0xffffffffu, (1LL << 40) + lane, 1);
    f[lane] = __shfl_up_sync(0xffffffffu, static_cast<float>(lane) + 0.5f, 1);
}

__global__ void votes_kernel(unsigned* out) {
    const unsigned lane = threadIdx.x;
    const unsigned ballot = __ballot_sync(0xffffffffu, lane % 3 == 0);
    const int any = __any_sync(0xffffffffu, lane == 9), none = __any_sync(0xffffffffu, lane > 40);
    const int all = __all_sync(0xffffffffu, lane < 32), some = __all_sync(0xffffffffu, lane < 31);
    const unsigned same = __match_any_sync(0xffffffffu, lane / 8);
    if (lane == 12) {
        out[0] = ballot;
        out[1] = static_cast<unsigned>(any) | static_cast<unsigned>(none) << 1 |
                 static_cast<unsigned>(all) << 2 | static_cast<unsigned>(some) << 3;
        out[2] = same;
        out[3] = __activemask() != 0;
    }
}

__global__ void reductions_kernel(int* out) {
#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
    const int lane = static_cast<int>(threadIdx.x);
    const int results[6] = {
        __reduce_add_sync(0xffffffffu, lane),
        __reduce_min_sync(0xffffffffu, lane - 5),
        __reduce_max_sync(0xffffffffu, lane - 40),
        static_cast<int>(__reduce_max_sync(0xffffffffu, static_cast<unsigned>(lane))),
        static_cast<int>(__reduce_and_sync(0xffffffffu, static_cast<unsigned>(lane) | 64u)),
        static_cast<int>(__reduce_or_sync(0xffffffffu, static_cast<unsigned>(lane)))};
    if (lane == 31)
        for (int i = 0; i < 6; ++i) out[i] = results[i];
#endif
}

__global__ void half_warps_kernel(int* out) {
    const int lane = static_cast<int>(threadIdx.x);
    int value = lane;
    if (lane < 16) {
        for (int offset = 8; offset > 0; offset /= 2) value += __shfl_xor_sync(0x0000ffffu, value, offset);
    } else {
        for (int offset = 8; offset > 0; offset /= 2)
            value = max(value, __shfl_xor_sync(0xffff0000u, value, offset));
    }
    out[lane] = value;
}

__global__ void atomics_kernel(int* i, float* f, double* d, unsigned* u) {
    const int thread = global_index();
    atomicAdd(i, 2);
    atomicMax(i + 1, thread);
    atomicMin(i + 2, -thread);
    atomicSub(i + 3, 1);
    atomicExch(i + 4, 77);
    atomicCAS(i + 5, 0, thread + 1);
    atomicAdd(f, 0.5f);
    atomicAdd(d, 0.25);
    atomicInc(u, 9);
    atomicOr(u + 1, 1u << (thread % 32));
    atomicAnd(u + 2, ~(1u << (thread % 32)));
    atomicXor(u + 3, static_cast<unsigned>(thread));
}

__global__ void transpose_kernel(const float* x, float* y, int width, int height, int pitch) {
    float* tile = dynamic_shared<float>();
    const int bx = static_cast<int>(blockIdx.x) * 32, by = static_cast<int>(blockIdx.y) * 32;
    const int tx = static_cast<int>(threadIdx.x);
    for (int r = static_cast<int>(threadIdx.y); r < 32; r += static_cast<int>(blockDim.y))
        if (by + r < height && bx + tx < width) tile[r * pitch + tx] = x[(by + r) * width + bx + tx];
    __syncthreads();
    for (int r = static_cast<int>(threadIdx.y); r < 32; r += static_cast<int>(blockDim.y))
        if (bx + r < width && by + tx < height) y[(bx + r) * height + by + tx] = tile[tx * pitch + r];
}

__global__ void copy_vectors_kernel(const float* x, float* y, int n4) {
    const int i = global_index();
    if (i < n4) reinterpret_cast<float4*>(y)[i] = reinterpret_cast<const float4*>(x)[i];
}

__global__ void copy_strided_kernel(const float* x, float* y, int stride) {
    y[global_index()] = x[global_index() * stride];
}

__global__ void copy_bytes_kernel(const uint8_t* x, uint8_t* y, int n) {
    const int i = global_index();
    if (i < n) y[i] = static_cast<uint8_t>(x[i] + 1);
}

__global__ void bits_and_numbers_kernel(unsigned* u, float* f) {
    u[0] = __umulhi(0x80000000u, 6u);
    u[1] = static_cast<unsigned>(__popc(0xf0f0u) + __clz(1) + __ffs(8));
    u[2] = __brev(1u);
    u[3] = __float_as_uint(1.0f);
    f[0] = rsqrtf(4.0f);
    f[1] = __fmaf_rn(2.0f, 3.0f, 4.0f);
    f[2] = __expf(0.0f) + __fdividef(1.0f, 4.0f);
    f[3] = __uint_as_float(0x40490fdbu);
    f[4] = fmaxf(1.0f, max(2.0f, 3.0f)) + static_cast<float>(min(4, 5));
    f[5] = __saturatef(1.5f) + static_cast<float>(__float2int_rn(2.5f));
}

// The sum of all blocks by the block that finishes last: a fence and a ticket, no second launch.
__global__ void last_block_sum_kernel(const float* x, float* partial, unsigned* ticket, float* y) {
    __shared__ bool last;
    const float sum = warp_sum(x[global_index()]);
    if (threadIdx.x == 0) {
        partial[blockIdx.x] = sum;
        __threadfence();
        last = atomicAdd(ticket, 1u) == gridDim.x - 1;
    }
    __syncthreads();
    if (last && threadIdx.x == 0) {
        __threadfence();
        float total = 0;
        for (unsigned b = 0; b < gridDim.x; ++b) total += partial[b];
        *y = total;
    }
}

__global__ void warp_exchange_kernel(int* out) {
    __shared__ int slots[64];
    const unsigned first = threadIdx.x / 32 * 32, lane = threadIdx.x % 32;
    for (int round = 0; round < 3; ++round) {
        slots[threadIdx.x] = static_cast<int>(threadIdx.x) + round;
        __syncwarp();
        const int next = slots[first + (lane + 1) % 32];
        __syncwarp();
        out[threadIdx.x] = next;
    }
}

}  // namespace

cudaError_t scale(const Shape& shape, float* y, const float* x, float factor, int n) {
    return launch(shape, scale_kernel, y, x, factor, n);
}
cudaError_t coordinates(const Shape& shape, int* out) { return launch(shape, coordinates_kernel, out); }
cudaError_t block_sum(const Shape& shape, const float* x, float* y, int n) {
    return launch(shape, block_sum_kernel, x, y, n);
}
cudaError_t reverse_dynamic(const Shape& shape, const int* x, int* y) {
    if (shape.shared > (48u << 10)) {
        const cudaError_t error =
            cudaFuncSetAttribute(reverse_dynamic_kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                 static_cast<int>(shape.shared));
        if (error != cudaSuccess) return error;
    }
    return launch(shape, reverse_dynamic_kernel, x, y);
}
cudaError_t predicates(const Shape& shape, int* out) { return launch(shape, predicates_kernel, out); }
cudaError_t shuffles(const Shape& shape, int* out) { return launch(shape, shuffles_kernel, out); }
cudaError_t wide_shuffles(const Shape& shape, double* d, long long* l, float* f) {
    return launch(shape, wide_shuffles_kernel, d, l, f);
}
cudaError_t votes(const Shape& shape, unsigned* out) { return launch(shape, votes_kernel, out); }
cudaError_t reductions(const Shape& shape, int* out) { return launch(shape, reductions_kernel, out); }
cudaError_t half_warps(const Shape& shape, int* out) { return launch(shape, half_warps_kernel, out); }
cudaError_t atomics(const Shape& shape, int* i, float* f, double* d, unsigned* u) {
    return launch(shape, atomics_kernel, i, f, d, u);
}
cudaError_t transpose(const Shape& shape, const float* x, float* y, int width, int height, bool padded) {
    return launch(shape, transpose_kernel, x, y, width, height, padded ? 33 : 32);
}
cudaError_t copy_vectors(const Shape& shape, const float* x, float* y, int n4) {
    return launch(shape, copy_vectors_kernel, x, y, n4);
}
cudaError_t copy_strided(const Shape& shape, const float* x, float* y, int stride) {
    return launch(shape, copy_strided_kernel, x, y, stride);
}
cudaError_t copy_bytes(const Shape& shape, const uint8_t* x, uint8_t* y, int n) {
    return launch(shape, copy_bytes_kernel, x, y, n);
}
cudaError_t bits_and_numbers(const Shape& shape, unsigned* u, float* f) {
    return launch(shape, bits_and_numbers_kernel, u, f);
}
cudaError_t last_block_sum(const Shape& shape, const float* x, float* partial, unsigned* ticket, float* y) {
    return launch(shape, last_block_sum_kernel, x, partial, ticket, y);
}
cudaError_t warp_exchange(const Shape& shape, int* out) { return launch(shape, warp_exchange_kernel, out); }

cudaError_t occupancy(int* blocks, int threads, size_t shared) {
    return cudaOccupancyMaxActiveBlocksPerMultiprocessor(blocks, reverse_dynamic_kernel, threads, shared);
}
cudaError_t best_block(int* grid, int* block) {
    return cudaOccupancyMaxPotentialBlockSize(grid, block, reverse_dynamic_kernel);
}

}  // namespace lily::testing
