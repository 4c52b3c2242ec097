// SPDX-License-Identifier: MIT
// The kernels of types.cu.
#pragma once

#include "tests/simt/kernels.h"

namespace lily::testing {

// out[i] for every 16-bit pattern: the float behind it, and back
cudaError_t half_to_float(const Shape&, float* out);
cudaError_t float_to_half(const Shape&, const float* x, unsigned short* out, int n);
cudaError_t bfloat_to_float(const Shape&, float* out);
cudaError_t float_to_bfloat(const Shape&, const float* x, unsigned short* out, int n);
cudaError_t half_arithmetic(const Shape&, float* out);
cudaError_t bfloat_sum(const Shape&, float* out);  // a warp's, by shuffles, with float accumulation
cudaError_t tiles(const Shape&, int* out);

}  // namespace lily::testing
