// SPDX-License-Identifier: MIT
// The kernels of tensor_cores.cu.
#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include "tests/simt/kernels.h"

namespace lily::testing {

// C (16, 16) = 2 A (16, k) B (k, 16): A row-major, B column-major, C row-major; one warp
cudaError_t multiply_half(const Shape&, const __half* a, const __half* b, float* c, int k);
cudaError_t multiply_bf16(const Shape&, const __nv_bfloat16* a, const __nv_bfloat16* b, float* c, int k);
// C = A B: A and B row-major, C column-major
cudaError_t multiply_tf32(const Shape&, const float* a, const float* b, float* c, int k);
// y: each 128 floats of x backwards, by cp.async through shared memory; one warp
cudaError_t pipeline(const Shape&, const float* x, float* y, int tiles, bool wait);

}  // namespace lily::testing
