// SPDX-License-Identifier: MIT
// cuBLASLt's products with an epilogue against plain loops, and the mistakes of their callers.
#include <cublasLt.h>

#include <cmath>

#include "tests/simt/gpu.h"

namespace lily::testing {
namespace {

// y (out, n) = epilogue(Wᵀ x + bias): W (in, out), x (in, n), all column-major: a linear layer over row-major
// rows.
struct Linear {
    Linear(int in, int out, int n) {
        REQUIRE(cublasLtCreate(&handle) == CUBLAS_STATUS_SUCCESS);
        REQUIRE(cublasLtMatmulDescCreate(&desc, CUBLAS_COMPUTE_32F, CUDA_R_32F) == CUBLAS_STATUS_SUCCESS);
        const cublasOperation_t transposed = CUBLAS_OP_T;
        set(CUBLASLT_MATMUL_DESC_TRANSA, transposed);
        REQUIRE(cublasLtMatrixLayoutCreate(&w, CUDA_R_32F, uint64_t(in), uint64_t(out), in) ==
                CUBLAS_STATUS_SUCCESS);
        REQUIRE(cublasLtMatrixLayoutCreate(&x, CUDA_R_32F, uint64_t(in), uint64_t(n), in) ==
                CUBLAS_STATUS_SUCCESS);
        REQUIRE(cublasLtMatrixLayoutCreate(&y, CUDA_R_32F, uint64_t(out), uint64_t(n), out) ==
                CUBLAS_STATUS_SUCCESS);
    }
    ~Linear() {
        (void)cublasLtMatrixLayoutDestroy(w), (void)cublasLtMatrixLayoutDestroy(x),
            (void)cublasLtMatrixLayoutDestroy(y);
        (void)cublasLtMatmulDescDestroy(desc), (void)cublasLtDestroy(handle);
    }
    template <class T>
    void set(cublasLtMatmulDescAttributes_t attribute, const T& value) {
        REQUIRE(cublasLtMatmulDescSetAttribute(desc, attribute, &value, sizeof(T)) == CUBLAS_STATUS_SUCCESS);
    }
    cublasStatus_t run(const float* W, const float* X, float* Y, float beta = 0) {
        const float one = 1;
        return cublasLtMatmul(handle, desc, &one, W, w, X, x, &beta, Y, y, Y, y, nullptr, nullptr, 0,
                              nullptr);
    }
    cublasLtHandle_t handle{};
    cublasLtMatmulDesc_t desc{};
    cublasLtMatrixLayout_t w{}, x{}, y{};
};

std::vector<float> waves(size_t n, int seed) {
    std::vector<float> result(n);
    for (size_t i = 0; i < n; ++i)
        result[i] = std::sin(static_cast<float>(i * 5 + static_cast<size_t>(seed)));
    return result;
}

}  // namespace

TEST_CASE("simt cublasLt: bias, ReLU and GELU in the epilogue", "[simt][cublas]") {
    const FreshDevice device;
    constexpr int in = 13, out = 9, n = 5;
    Linear linear(in, out, n);
    const auto w = waves(in * out, 1), x = waves(in * n, 2), bias = waves(out, 3);
    const Array<float> W(w), X(x), B(bias), Y(out * n);
    const float* pointer = B;
    linear.set(CUBLASLT_MATMUL_DESC_BIAS_POINTER, pointer);
    for (const auto epilogue : {CUBLASLT_EPILOGUE_DEFAULT, CUBLASLT_EPILOGUE_RELU, CUBLASLT_EPILOGUE_BIAS,
                                CUBLASLT_EPILOGUE_RELU_BIAS, CUBLASLT_EPILOGUE_GELU_BIAS}) {
        linear.set(CUBLASLT_MATMUL_DESC_EPILOGUE, epilogue);
        REQUIRE(linear.run(W, X, Y) == CUBLAS_STATUS_SUCCESS);
        const auto y = Y.values();
        for (int j = 0; j < n; ++j)
            for (int i = 0; i < out; ++i) {
                double sum = (epilogue & CUBLASLT_EPILOGUE_BIAS) != 0 ? double(bias[size_t(i)]) : 0;
                for (int k = 0; k < in; ++k)
                    sum += double(w[size_t(i * in + k)]) * double(x[size_t(j * in + k)]);
                if ((epilogue & CUBLASLT_EPILOGUE_RELU) != 0) sum = std::max(0.0, sum);
                if ((epilogue & CUBLASLT_EPILOGUE_GELU) != 0)
                    sum = 0.5 * sum * (1 + std::tanh(0.7978845608 * (sum + 0.044715 * sum * sum * sum)));
                REQUIRE(std::abs(double(y[size_t(j * out + i)]) - sum) <= 1e-5);
            }
    }
    const auto before = Y.values();
    REQUIRE(linear.run(W, X, Y, 1) == CUBLAS_STATUS_SUCCESS);
    CHECK(Y.values() != before);
    CHECK(simt::last_report() == "");
}

TEST_CASE("simt cublasLt: the heuristic's workspace is asked for", "[simt][cublas]") {
    const FreshDevice device;
    Linear linear(4, 4, 4);
    const Array<float> W(waves(16, 1)), X(waves(16, 2)), Y(16), workspace(1024);
    cublasLtMatmulPreference_t preference{};
    const uint64_t most = 1 << 20;
    REQUIRE(cublasLtMatmulPreferenceCreate(&preference) == CUBLAS_STATUS_SUCCESS);
    REQUIRE(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most,
                                                 sizeof(most)) == CUBLAS_STATUS_SUCCESS);
    cublasLtMatmulHeuristicResult_t found;
    int count = 0;
    REQUIRE(cublasLtMatmulAlgoGetHeuristic(linear.handle, linear.desc, linear.w, linear.x, linear.y, linear.y,
                                           preference, 1, &found, &count) == CUBLAS_STATUS_SUCCESS);
    REQUIRE((count == 1 && found.workspaceSize == 4096));
    const float one = 1, zero = 0;
    const auto run = [&](void* memory, size_t bytes) {
        return cublasLtMatmul(linear.handle, linear.desc, &one, W, linear.w, X, linear.x, &zero, Y, linear.y,
                              Y, linear.y, &found.algo, memory, bytes, nullptr);
    };
    CHECK(run(workspace, 4096) == CUBLAS_STATUS_SUCCESS);
    CHECK(simt::last_report() == "");
    CHECK(run(nullptr, 0) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(run(workspace, 4100) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(cublasLtMatmulPreferenceDestroy(preference) == CUBLAS_STATUS_SUCCESS);
}

TEST_CASE("simt faults: wrong arguments of cuBLASLt", "[simt][cublas][faults]") {
    const FreshDevice device;
    Linear linear(4, 6, 3);
    const Array<float> W(waves(24, 1)), X(waves(12, 2)), Y(18);
    const auto reported = [](const std::string& part) {
        return simt::last_report().find(part) != std::string::npos;
    };
    CHECK(linear.run(W, X, Y) == CUBLAS_STATUS_SUCCESS);
    CHECK(linear.run(W, X, Y + 1) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(reported("D has 72 bytes, out of range"));
    CHECK(reported("test_cublaslt.cpp:"));
    linear.set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_BIAS);
    CHECK(linear.run(W, X, Y) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(reported("the bias is null"));
    linear.set(CUBLASLT_MATMUL_DESC_EPILOGUE, CUBLASLT_EPILOGUE_DEFAULT);
    linear.set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_N);
    CHECK(linear.run(W, X, Y) == CUBLAS_STATUS_INVALID_VALUE);
    CHECK(reported("op(A) is 4 x 6, op(B) 4 x 3"));
    const char wrong = 0;
    CHECK(cublasLtMatmulDescSetAttribute(linear.desc, CUBLASLT_MATMUL_DESC_TRANSA, &wrong, 1) ==
          CUBLAS_STATUS_INVALID_VALUE);
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
}

}  // namespace lily::testing
