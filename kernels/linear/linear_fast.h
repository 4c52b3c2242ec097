// SPDX-License-Identifier: MIT
// The f32 layer on CPUs with AVX2 or AVX-512: linear_fast_cpu.cpp. Same contracts as in linear.h.
#pragma once

#include "kernels/linear/linear.h"

namespace lily::kernels::fast_linear {

// Long rows are better off in a product that is blocked along them too.
bool fits(LinearShape s);
void forward(Queue& queue, LinearShape s, LinearActivation f, const float* x, const float* weight,
             const float* bias, float* y);
// dx = dz W and dW = dzᵀ x, where not null
void products(Queue& queue, LinearShape s, const float* x, const float* weight, const float* dz, float* dx,
              float* dweight);

}  // namespace lily::kernels::fast_linear
