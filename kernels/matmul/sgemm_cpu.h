// SPDX-License-Identifier: MIT
// oneDNN's matrix product on the calling thread only; included by *_cpu.cpp files.
#pragma once

#include <cstdint>

namespace lily::kernels {

// C (m,n) = op(A) (m,k) · op(B) (k,n) + beta C. oneDNN splits sums by the number of threads it may use;
// called with one thread, from pieces of our own choice, its bits do not depend on the machine's number of
// cores.
void sgemm_one_thread(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float* a,
                      int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc);

}  // namespace lily::kernels
