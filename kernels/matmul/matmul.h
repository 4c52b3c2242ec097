// SPDX-License-Identifier: MIT
// Matrix products, one or a batch of them; transposed operands are read in place.
//   C = op(A) op(B) + beta C      op(X) = X or Xᵀ      C (m, n)   op(A) (m, k)   op(B) (k, n)
// The gradients are products too: with C = A B, dA = dC Bᵀ and dB = Aᵀ dC.
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct MatmulShape {
    int64_t m, n, k;
    bool transpose_a = false, transpose_b = false;
    int64_t lda, ldb, ldc;  // elements from one row in memory to the next
    int64_t batch = 1;
    int64_t a_stride = 0, b_stride = 0, c_stride = 0;  // from one matrix of the batch to the next; 0: shared
};

// Densely packed matrices.
constexpr MatmulShape matmul_shape(int64_t m, int64_t n, int64_t k, bool transpose_a = false,
                                   bool transpose_b = false) {
    return {.m = m,
            .n = n,
            .k = k,
            .transpose_a = transpose_a,
            .transpose_b = transpose_b,
            .lda = transpose_a ? m : k,
            .ldb = transpose_b ? k : n,
            .ldc = n};
}

template <class T>
struct MatmulKernels {
    // a (batch, m, k) or, transposed, (batch, k, m); b (batch, k, n) or (batch, n, k); c (batch, m, n), not
    // read when beta is 0
    void (*product)(Queue&, const MatmulShape&, const T* a, const T* b, T beta, T* c);
};
template <class T>
const MatmulKernels<T>& matmul(Device device);
const MatmulKernels<float>& matmul_on(simt::Gpu);  // matmul.cu
const MatmulKernels<float>& matmul_on(cuda::Gpu);

}  // namespace lily::kernels
