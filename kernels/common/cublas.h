// SPDX-License-Identifier: MIT
// cuBLAS and cuBLASLt for the rooms, in our row-major order. All calls of the two libraries are in cublas.cu.
#pragma once

#include <cstdint>

#include "kernels/common/engine.h"
#include "kernels/common/launch.h"

namespace lily::kernels::LILY_CUDA_DEVICE {

// C = op(A) op(B) + beta C over a batch, as kernels/matmul has it; only for sizes that fit into an int.
struct BlasProduct {
    int64_t m, n, k;
    bool transpose_a, transpose_b;
    int64_t lda, ldb, ldc, batch, a_stride, b_stride, c_stride;
};
void cublas_product(const char* who, Queue& queue, Precision precision, const BlasProduct& s, const float* a,
                    const float* b, float beta, float* c);

// y = scale x Wᵀ + b: x (rows, in), W (out, in), b (out) or null, y (rows, out). Pointers are
// aligned as allocations are (kLtAlignment), and sizes fit into an int.
struct LtLinear {
    int64_t rows, in, out;
    auto operator<=>(const LtLinear&) const = default;
};
inline constexpr size_t kMostLtPlans = 256;     // the last ones of cublaslt_linear are kept
inline constexpr uintptr_t kLtAlignment = 256;  // what cuBLASLt's heuristic takes for granted
void cublaslt_linear(const char* who, Queue& queue, Precision precision, const LtLinear& s, float scale,
                     const float* x, const float* weight, const float* bias, float* y);

// Do these addresses and sizes suit the libraries?
template <class... T>
bool aligned(uintptr_t bytes, const T*... pointers) {
    return ((reinterpret_cast<uintptr_t>(pointers) % bytes == 0) && ...);
}
template <class... Sizes>
bool fit_into_int(Sizes... sizes) {
    return ((static_cast<int64_t>(sizes) <= 0x7fffffff) && ...);
}

// Does the setting, or the rule, give this much work to a library?
inline bool library_takes(int64_t multiplications) {
    const Engine engine = gpu_engine();
    return engine == Engine::rule ? multiplications >= kLibraryWork : engine != Engine::own;
}

}  // namespace lily::kernels::LILY_CUDA_DEVICE
