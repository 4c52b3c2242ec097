// SPDX-License-Identifier: MIT
// Scaled dot-product attention of many heads. A query i looks at the keys j < n_i: all of them, or, causal,
// those up to its own place: n_i = min(i + 1, keys).
//   forward   s_ij = scale q_i·k_j    m_i = max_j s_ij    r_i = 1 / Σ_j exp(s_ij - m_i)
//             p_ij = r_i exp(s_ij - m_i)    y_i = Σ_j p_ij v_j
//   backward  δ_i = dy_i·y_i    ds_ij = scale p_ij (dy_i·v_j - δ_i)
//             dq_i = Σ_j ds_ij k_j    dk_j = Σ_i ds_ij q_i    dv_j = Σ_i p_ij dy_i
// No (queries, keys) matrix is kept: s, p and ds exist a few rows at a time and are computed again in the
// backward pass. On the CPU the bits of y_i depend on q_i and the n_i keys and values alone.
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct AttentionShape {
    int64_t batch, heads, queries, keys, depth;  // depth: numbers in a q, k, v or y
    double scale;
    bool causal;

    // The keys that query i looks at.
    constexpr int64_t seen(int64_t i) const { return causal && i + 1 < keys ? i + 1 : keys; }
};

// Vectors of `depth` neighbouring numbers: of batch b, head h and place i at
// data + b · batch + h · head + i · row. So heads may lie side by side in a row, as a linear layer makes
// them.
template <class T>
struct AttentionRows {
    T* data;
    int64_t batch, head, row;

    constexpr T* of(int64_t b, int64_t h) const { return data + b * batch + h * head; }
};

template <class T>
struct AttentionGradients {
    AttentionRows<T> q, k, v;  // =; those whose data is null are not wanted
};

template <class T>
struct AttentionKernels {
    // statistics (2, batch, heads, queries): m and r
    void (*forward)(Queue&, const AttentionShape&, AttentionRows<const T> q, AttentionRows<const T> k,
                    AttentionRows<const T> v, AttentionRows<T> y, T* statistics);
    void (*backward)(Queue&, const AttentionShape&, AttentionRows<const T> q, AttentionRows<const T> k,
                     AttentionRows<const T> v, AttentionRows<const T> y, const T* statistics,
                     AttentionRows<const T> dy, AttentionGradients<T>);
};
template <class T>
const AttentionKernels<T>& attention(Device device);
const AttentionKernels<float>& attention_on(simt::Gpu);  // attention.cu
const AttentionKernels<float>& attention_on(cuda::Gpu);

}  // namespace lily::kernels
