// SPDX-License-Identifier: MIT
// The f32 passes on CPUs with AVX2 or AVX-512: attention_fast_cpu.cpp. Same contracts as in attention.h.
#pragma once

#include "kernels/attention/attention.h"

namespace lily::kernels::fast_attention {

void forward(Queue& queue, const AttentionShape& s, AttentionRows<const float> q,
             AttentionRows<const float> k, AttentionRows<const float> v, AttentionRows<float> y,
             float* statistics);
void backward(Queue& queue, const AttentionShape& s, AttentionRows<const float> q,
              AttentionRows<const float> k, AttentionRows<const float> v, AttentionRows<const float> y,
              const float* statistics, AttentionRows<const float> dy, AttentionGradients<float> gradients);

}  // namespace lily::kernels::fast_attention
