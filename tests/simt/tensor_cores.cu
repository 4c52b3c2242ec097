// SPDX-License-Identifier: MIT
// Matrix fragments and asynchronous copies.
#include "tests/simt/tensor_cores.h"

#include <cuda_pipeline.h>
#include <mma.h>

namespace lily::testing {
namespace {

using namespace nvcuda;

// C (16, 16) = A (16, k) B (k, 16), A row-major, B column-major
template <class T>
__global__ void multiply_kernel(const T* a, const T* b, float* c, int k) {
    wmma::fragment<wmma::matrix_a, 16, 16, 16, T, wmma::row_major> left;
    wmma::fragment<wmma::matrix_b, 16, 16, 16, T, wmma::col_major> right;
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sum;
    wmma::fill_fragment(sum, 0.0f);
    for (int i = 0; i < k; i += 16) {
        wmma::load_matrix_sync(left, a + i, static_cast<unsigned>(k));
        wmma::load_matrix_sync(right, b + i, static_cast<unsigned>(k));
        wmma::mma_sync(sum, left, right, sum);
    }
    for (int i = 0; i < sum.num_elements; ++i) sum.x[i] *= 2.0f;
    wmma::store_matrix_sync(c, sum, 16, wmma::mem_row_major);
}

__global__ void multiply_tf32_kernel(const float* a, const float* b, float* c, int k) {
    wmma::fragment<wmma::matrix_a, 16, 16, 8, wmma::precision::tf32, wmma::row_major> left;
    wmma::fragment<wmma::matrix_b, 16, 16, 8, wmma::precision::tf32, wmma::row_major> right;
    wmma::fragment<wmma::accumulator, 16, 16, 8, float> sum;
    wmma::fill_fragment(sum, 0.0f);
    for (int i = 0; i < k; i += 8) {
        wmma::load_matrix_sync(left, a + i, static_cast<unsigned>(k));
        wmma::load_matrix_sync(right, b + i * 16, 16);
        for (int e = 0; e < left.num_elements; ++e) left.x[e] = wmma::__float_to_tf32(left.x[e]);
        for (int e = 0; e < right.num_elements; ++e) right.x[e] = wmma::__float_to_tf32(right.x[e]);
        wmma::mma_sync(sum, left, right, sum);
    }
    wmma::store_matrix_sync(c, sum, 16, wmma::mem_col_major);
}

// Two tiles in flight; without the wait the first read sees nothing.
__global__ void pipeline_kernel(const float* x, float* y, int tiles, bool wait) {
    __shared__ __align__(16) float buffer[2][128];
    const int lane = static_cast<int>(threadIdx.x);
    __pipeline_memcpy_async(&buffer[0][4 * lane], x + 4 * lane, 16);
    __pipeline_commit();
    for (int tile = 0; tile < tiles; ++tile) {
        if (tile + 1 < tiles)
            __pipeline_memcpy_async(&buffer[(tile + 1) % 2][4 * lane], x + 128 * (tile + 1) + 4 * lane, 16);
        __pipeline_commit();
        if (wait) __pipeline_wait_prior(1);
        __syncthreads();
        for (int i = lane; i < 128; i += 32)
            y[128 * tile + i] = buffer[tile % 2][127 - i];  // fault: pipeline
        __syncthreads();
    }
}

}  // namespace

cudaError_t multiply_half(const Shape& shape, const __half* a, const __half* b, float* c, int k) {
    return launch(shape, multiply_kernel<__half>, a, b, c, k);
}
cudaError_t multiply_bf16(const Shape& shape, const __nv_bfloat16* a, const __nv_bfloat16* b, float* c,
                          int k) {
    return launch(shape, multiply_kernel<__nv_bfloat16>, a, b, c, k);
}
cudaError_t multiply_tf32(const Shape& shape, const float* a, const float* b, float* c, int k) {
    return launch(shape, multiply_tf32_kernel, a, b, c, k);
}
cudaError_t pipeline(const Shape& shape, const float* x, float* y, int tiles, bool wait) {
    return launch(shape, pipeline_kernel, x, y, tiles, wait);
}

}  // namespace lily::testing
