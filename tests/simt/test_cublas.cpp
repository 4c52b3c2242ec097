// SPDX-License-Identifier: MIT
// The products of cuBLAS against plain loops, and the mistakes of their callers.
#include <cublas_v2.h>

#include <cmath>

#include "tests/simt/gpu.h"

namespace lily::testing {
namespace {

struct Handle {
    Handle() { REQUIRE(cublasCreate(&handle) == CUBLAS_STATUS_SUCCESS); }
    ~Handle() { (void)cublasDestroy(handle); }
    operator cublasHandle_t() const { return handle; }
    cublasHandle_t handle = nullptr;
};

std::vector<float> numbers(size_t n, unsigned seed) {
    std::vector<float> result(n);
    for (float& x : result) {
        seed = seed * 1664525u + 1013904223u;
        x = static_cast<float>(seed >> 8) / static_cast<float>(1 << 24) - 0.5f;
    }
    return result;
}

// Element (i, j) of op(X), column-major.
float element(const std::vector<float>& x, int ld, bool transposed, int i, int j, size_t first = 0) {
    return x[first + static_cast<size_t>(transposed ? i * ld + j : j * ld + i)];
}

bool reported(const std::string& part) {
    for (const auto& fault : simt::faults())
        if (fault.kind == simt::FaultKind::library && fault.text.find(part) != std::string::npos) return true;
    UNSCOPED_INFO("the last report: " << simt::last_report());
    return false;
}

}  // namespace

TEST_CASE("simt cublas: products of all shapes, column-major with leading dimensions", "[simt][cublas]") {
    const FreshDevice device;
    const Handle handle;
    for (const auto& [m, n, k] : {std::array{1, 1, 1}, std::array{5, 7, 3}, std::array{33, 17, 40}})
        for (const bool ta : {false, true})
            for (const bool tb : {false, true})
                for (const float beta : {0.0f, 2.0f}) {
                    const int lda = (ta ? k : m) + 2, ldb = (tb ? n : k) + 1, ldc = m + 3;
                    const auto a = numbers(static_cast<size_t>(lda * (ta ? m : k)), 1);
                    const auto b = numbers(static_cast<size_t>(ldb * (tb ? k : n)), 2);
                    const auto c = numbers(static_cast<size_t>(ldc * n), 3);
                    const Array<float> A(a), B(b), C(c);
                    const float alpha = 1.5f;
                    REQUIRE(cublasSgemm(handle, ta ? CUBLAS_OP_T : CUBLAS_OP_N,
                                        tb ? CUBLAS_OP_T : CUBLAS_OP_N, m, n, k, &alpha, A, lda, B, ldb,
                                        &beta, C, ldc) == CUBLAS_STATUS_SUCCESS);
                    const auto result = C.values();
                    for (int j = 0; j < n; ++j)
                        for (int i = 0; i < ldc; ++i) {
                            const auto at = static_cast<size_t>(j * ldc + i);
                            double sum = 0;
                            for (int l = 0; i < m && l < k; ++l)
                                sum += double(element(a, lda, ta, i, l)) * double(element(b, ldb, tb, l, j));
                            const double wanted =
                                i < m ? 1.5 * sum + double(beta) * double(c[at]) : double(c[at]);
                            REQUIRE(std::abs(double(result[at]) - wanted) <= 1e-5);
                        }
                }
    CHECK(simt::last_report() == "");
}

TEST_CASE("simt cublas: beta = 0 does not read C, work runs late, batches, 16-bit types", "[simt][cublas]") {
    const FreshDevice device;
    const Handle handle;
    const Array<float> A(std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8}),
        B(std::vector<float>{1, 0, 0, 1, 2, 0, 0, 2}), C(8);
    const float one = 1, zero = 0;
    REQUIRE(cublasSgemmStridedBatched(handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, A, 2, 4, B, 2, 4,
                                      &zero, C, 2, 4, 2) == CUBLAS_STATUS_SUCCESS);
    CHECK(C.values() == std::vector<float>{1, 2, 3, 4, 10, 12, 14, 16});
    const std::vector<uint16_t> halves = {0x3c00, 0x4000, 0x4200, 0x4400};  // 1 2 3 4
    const Array<uint16_t> H(halves), R(4);
    REQUIRE(cublasGemmEx(handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, H, CUDA_R_16F, 2, H, CUDA_R_16F, 2,
                         &zero, R, CUDA_R_16F, 2, CUBLAS_COMPUTE_32F,
                         CUBLAS_GEMM_DEFAULT) == CUBLAS_STATUS_SUCCESS);
    CHECK(R.values() == std::vector<uint16_t>{0x4700, 0x4900, 0x4b80, 0x4d80});  // 7 10 15 22
    // TF32 keeps 10 bits of the fraction
    const Array<float> fine(std::vector<float>{1 + 0x1p-12f}), unit(std::vector<float>{1}), product(1);
    REQUIRE(cublasSetMathMode(handle, CUBLAS_TF32_TENSOR_OP_MATH) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, &one, fine, 1, unit, 1, &zero, product,
                        1) == CUBLAS_STATUS_SUCCESS);
    CHECK(product.values()[0] == 1);
    CHECK(simt::last_report() == "");
}

TEST_CASE("simt faults: cuBLAS captured without a workspace", "[simt][cublas][faults]") {
    const FreshDevice device;
    const Handle handle;
    const Array<float> a(std::vector<float>(4, 1)), c(4), workspace(1024);
    cudaStream_t stream = nullptr;
    REQUIRE(cudaStreamCreate(&stream) == cudaSuccess);
    const auto capture = [&] {
        cudaGraph_t graph = nullptr;
        const float one = 1, zero = 0;
        REQUIRE(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess);
        (void)cublasSgemm(handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, a, 2, a, 2, &zero, c, 2);
        REQUIRE(cudaStreamEndCapture(stream, &graph) == cudaSuccess);
        REQUIRE(cudaGraphDestroy(graph) == cudaSuccess);
    };
    REQUIRE(cublasSetStream(handle, stream) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(cublasSetWorkspace(handle, workspace, 4096) == CUBLAS_STATUS_SUCCESS);
    capture();
    CHECK(simt::faults().empty());
    REQUIRE(cublasSetStream(handle, stream) == CUBLAS_STATUS_SUCCESS);
    capture();
    CHECK(reported("cublasSetWorkspace comes after cublasSetStream, which forgets it"));
    REQUIRE(cudaStreamDestroy(stream) == cudaSuccess);
}

TEST_CASE("simt faults: wrong arguments of cuBLAS", "[simt][cublas][faults]") {
    const FreshDevice device;
    const Handle handle;
    const Array<float> A(counting(64)), B(counting(64)), C(64);
    const float one = 1, zero = 0;
    const auto gemm = [&](cublasHandle_t h, int m, int n, int k, const float* a, int lda, int ldb, float* c,
                          int ldc) {
        return cublasSgemm(h, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, a, lda, B, ldb, &zero, c, ldc);
    };
    CHECK(gemm(handle, 8, 8, 8, A, 7, 8, C, 8) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(reported("cublasSgemm: lda = 7, but the matrix has 8 rows"));
    CHECK(reported("test_cublas.cpp:"));
    CHECK(gemm(handle, 8, 8, 8, A, 8, 7, C, 8) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(gemm(handle, 8, 8, 8, A, 8, 8, C, 7) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(gemm(handle, -1, 8, 8, A, 8, 8, C, 8) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(gemm(handle, 8, 8, 8, nullptr, 8, 8, C, 8) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(gemm(handle, 8, 8, 8, A, 9, 8, C, 8) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(reported("A has 284 bytes, out of range"));
    CHECK(gemm(nullptr, 8, 8, 8, A, 8, 8, C, 8) == CUBLAS_STATUS_NOT_INITIALIZED);
    CHECK(gemm(handle, 0, 8, 8, A, 8, 8, C, 8) == CUBLAS_STATUS_SUCCESS);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    if (!simt::instrumented()) return;
    CHECK(gemm(handle, 8, 8, 8, C, 8, 8, C, 8) == CUBLAS_STATUS_SUCCESS);
    CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
    CHECK(simt::faults().back().kind == simt::FaultKind::uninitialised);
}

}  // namespace lily::testing
