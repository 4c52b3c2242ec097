// SPDX-License-Identifier: MIT
// The f32 product on CPUs with AVX2 or AVX-512: matmul_fast_cpu.cpp. Same contract as in matmul.h.
#pragma once

#include "kernels/matmul/matmul.h"

namespace lily::kernels::fast_matmul {

void product(Queue& queue, const MatmulShape& s, const float* a, const float* b, float beta, float* c);

}  // namespace lily::kernels::fast_matmul
