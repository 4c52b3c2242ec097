// SPDX-License-Identifier: MIT
// The f32 layer on CPUs with AVX2 or AVX-512: linear_fast_cpu.cpp. Same contracts as in linear.h.
#pragma once

#include "kernels/common/parallel.h"
#include "kernels/linear/linear.h"

namespace lily::kernels::fast_linear {

inline bool fits() { return has_wide_vectors(); }
void forward(Queue& queue, LinearShape s, LinearActivation f, const float* x, const float* weight,
             const float* bias, float* y);
// dz turned for dW = dzᵀ x: (⌈out / kTurnedRows⌉, rows, kTurnedRows). In dz itself the values that one
// output's sum goes through are a power of two apart as a rule, so that they push each other out of the
// cache.
constexpr int kTurnedRows = 6;
inline int64_t turned_size(LinearShape s) { return ceil_div(s.out, kTurnedRows) * kTurnedRows * s.rows; }
// dx = dz W and dW = dzᵀ x, where not null; turned_dz for dW alone. dz has been scaled.
void products(Queue& queue, LinearShape s, const float* x, const float* weight, const float* dz,
              const float* turned_dz, float* dx, float* dweight);

}  // namespace lily::kernels::fast_linear
