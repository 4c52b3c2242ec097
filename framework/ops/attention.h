// SPDX-License-Identifier: MIT
#pragma once

#include <optional>

#include "framework/tensor.h"

namespace lily {

struct AttentionOptions {
    bool causal = false;                         // query i looks at the keys 0 … i only
    std::optional<double> scale = std::nullopt;  // of the scores; none: 1 / √D
};

// softmax(scale q kᵀ) v, one head at a time: q (…,T,D), k and v (…,S,D), the leading dimensions equal ->
// (…,T,D). The matrix (T,S) is never in memory, in the first backward pass neither; a gradient of a gradient
// makes it. Without keys: zeros. In inference on the CPU the bits of a query's result depend on the query and
// the keys and values that it looks at alone.
Tensor scaled_dot_product_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                                    AttentionOptions options = {});

// The same of a sequence with itself. qkv (N,T,3W): in each row the queries, then the keys, then the values
// of all heads, as one linear layer with a packed weight makes them -> (N,T,W), heads side by side.
Tensor self_attention(const Tensor& qkv, int64_t heads, AttentionOptions options = {});

}  // namespace lily
