// SPDX-License-Identifier: MIT
// half, bfloat16 and cooperative groups.
#include "tests/simt/types.h"

#include <cooperative_groups.h>
#include <cooperative_groups/reduce.h>
#include <cuda_bf16.h>
#include <cuda_fp16.h>

namespace lily::testing {
namespace {

namespace cg = cooperative_groups;

__device__ int global_index() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }

__global__ void half_to_float_kernel(float* out) {
    out[global_index()] = __half2float(__ushort_as_half(static_cast<unsigned short>(global_index())));
}
__global__ void float_to_half_kernel(const float* x, unsigned short* out, int n) {
    if (global_index() < n) out[global_index()] = __half_as_ushort(__float2half(x[global_index()]));
}
__global__ void bfloat_to_float_kernel(float* out) {
    out[global_index()] = __bfloat162float(__ushort_as_bfloat16(static_cast<unsigned short>(global_index())));
}
__global__ void float_to_bfloat_kernel(const float* x, unsigned short* out, int n) {
    if (global_index() < n) out[global_index()] = __bfloat16_as_ushort(__float2bfloat16(x[global_index()]));
}

__global__ void half_arithmetic_kernel(float* out) {
    const __half a = __float2half(1.5f), b = __float2half(0.25f);
    out[0] = __half2float(a + b);
    out[1] = __half2float(__hmul(a, b));
    out[2] = __half2float(__hfma(a, b, a));
    out[3] = a > b ? 1.0f : 0.0f;
    out[4] = __half2float(-a);
    const __half2 two = __hadd2(__floats2half2_rn(1, 2), __float2half2_rn(0.5f));
    const float2 both = __half22float2(two);
    out[5] = both.x;
    out[6] = both.y;
    out[7] = __half2float(__float2half(65504.0f) * __float2half(2.0f));
}

__global__ void bfloat_sum_kernel(float* out) {
    const __nv_bfloat16 mine = __float2bfloat16(static_cast<float>(threadIdx.x));
    float sum = __bfloat162float(mine);
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_xor_sync(0xffffffffu, sum, offset);
    if (threadIdx.x == 0) *out = sum;
}

__global__ void tiles_kernel(int* out) {
    const auto block = cg::this_thread_block();
    const auto tile = cg::tiled_partition<8>(block);
    const int rank = static_cast<int>(block.thread_rank());
    block.sync();
    out[4 * rank] = static_cast<int>(tile.thread_rank());
    out[4 * rank + 1] = tile.shfl(rank, 3);
    out[4 * rank + 2] = cg::reduce(tile, rank, cg::plus<int>());
    out[4 * rank + 3] = static_cast<int>(tile.ballot(rank % 2));
}

}  // namespace

cudaError_t half_to_float(const Shape& shape, float* out) { return launch(shape, half_to_float_kernel, out); }
cudaError_t float_to_half(const Shape& shape, const float* x, unsigned short* out, int n) {
    return launch(shape, float_to_half_kernel, x, out, n);
}
cudaError_t bfloat_to_float(const Shape& shape, float* out) {
    return launch(shape, bfloat_to_float_kernel, out);
}
cudaError_t float_to_bfloat(const Shape& shape, const float* x, unsigned short* out, int n) {
    return launch(shape, float_to_bfloat_kernel, x, out, n);
}
cudaError_t half_arithmetic(const Shape& shape, float* out) {
    return launch(shape, half_arithmetic_kernel, out);
}
cudaError_t bfloat_sum(const Shape& shape, float* out) { return launch(shape, bfloat_sum_kernel, out); }
cudaError_t tiles(const Shape& shape, int* out) { return launch(shape, tiles_kernel, out); }

}  // namespace lily::testing
