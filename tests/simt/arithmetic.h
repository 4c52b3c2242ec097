// SPDX-License-Identifier: MIT
// arithmetic.cu: compiled with the checks of LILY_SIMT_ARITHMETIC in every build.
#pragma once

#include "tests/simt/kernels.h"

namespace lily::testing {

// y[0] = x[row * columns % 64], the product in 32 bits or in 64
cudaError_t indexed(const Shape&, const float* x, float* y, int row, int columns, bool wide);
cudaError_t shifted(const Shape&, unsigned* y, int by);        // y[i] = 1 << by
cudaError_t added(const Shape&, int* y, int a, int b);         // y[i] = a + b
cudaError_t hashed(const Shape&, unsigned* y, unsigned seed);  // unsigned: wraps, as it may

}  // namespace lily::testing
