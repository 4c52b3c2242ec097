// SPDX-License-Identifier: MIT
// streams.cu: kernels for work in several streams. None races with itself.
#pragma once

#include "tests/simt/kernels.h"

namespace lily::testing {

cudaError_t fill(const Shape&, float* y, float value);           // y[i] = value
cudaError_t copy(const Shape&, const float* x, float* y);        // y[i] = x[i]
cudaError_t copy_first(const Shape&, const float* x, float* y);  // y[i] = x[0]
cudaError_t add_atomically(const Shape&, float* y);              // y[0] += 1

cudaError_t divide_unless_zero(const Shape&, const float* x, float* y);  // y[i] = 1 / x[i]

}  // namespace lily::testing
