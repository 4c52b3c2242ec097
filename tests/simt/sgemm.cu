// SPDX-License-Identifier: MIT
// Two matrix products to time the levels of checking with, and to see that they are clean.
#include "tests/simt/kernels.h"

namespace lily::testing {
namespace {

// C (n, n) = A (n, n) B (n, n), a thread per element.
__global__ void naive_sgemm_kernel(const float* a, const float* b, float* c, int n) {
    const int row = static_cast<int>(blockIdx.y * blockDim.y + threadIdx.y);
    const int column = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
    if (row >= n || column >= n) return;
    float sum = 0;
    for (int k = 0; k < n; ++k) sum += a[row * n + k] * b[k * n + column];
    c[row * n + column] = sum;
}

// The same through tiles of 16 x 16 in shared memory; n is a multiple of 16.
__global__ void tiled_sgemm_kernel(const float* a, const float* b, float* c, int n) {
    __shared__ float left[16][16];
    __shared__ float right[16][16];
    const int tx = static_cast<int>(threadIdx.x), ty = static_cast<int>(threadIdx.y);
    const int row = static_cast<int>(blockIdx.y) * 16 + ty, column = static_cast<int>(blockIdx.x) * 16 + tx;
    float sum = 0;
    for (int first = 0; first < n; first += 16) {
        left[ty][tx] = a[row * n + first + tx];
        right[ty][tx] = b[(first + ty) * n + column];
        __syncthreads();
        for (int k = 0; k < 16; ++k) sum += left[ty][k] * right[k][tx];
        __syncthreads();
    }
    c[row * n + column] = sum;
}

}  // namespace

cudaError_t naive_sgemm(const Shape& shape, const float* a, const float* b, float* c, int n) {
    return launch(shape, naive_sgemm_kernel, a, b, c, n);
}
cudaError_t tiled_sgemm(const Shape& shape, const float* a, const float* b, float* c, int n) {
    return launch(shape, tiled_sgemm_kernel, a, b, c, n);
}

}  // namespace lily::testing
