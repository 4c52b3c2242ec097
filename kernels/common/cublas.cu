// SPDX-License-Identifier: MIT
// The libraries are column-major: to them our row-major C (m, n) is Cᵀ (n, m), and Cᵀ = op(B)ᵀ op(A)ᵀ, whose
// operands are, read in columns, B and A as they lie in memory.
#include "kernels/common/cublas.h"

#include <cublasLt.h>
#include <cublas_v2.h>

#include <memory>
#include <mutex>
#include <tuple>

#include "kernels/common/error.h"
#include "kernels/common/plan_store.h"

namespace lily::kernels::LILY_CUDA_DEVICE {
namespace {

const char* hint(cublasStatus_t status) {
    switch (status) {
        case CUBLAS_STATUS_NOT_INITIALIZED:
            return ": no usable GPU, or too little memory on it for cuBLAS";
        case CUBLAS_STATUS_ALLOC_FAILED:
            return ": too little memory on the GPU; use a smaller batch";
        case CUBLAS_STATUS_ARCH_MISMATCH:
            return ": this cuBLAS does not know this GPU; install one of the GPU's age or newer";
        case CUBLAS_STATUS_NOT_SUPPORTED:
        case CUBLAS_STATUS_INVALID_VALUE:
            return ": LILY_GPU_ENGINE=own uses our own kernels instead";
        default:
            return "";
    }
}

void check(cublasStatus_t status, const char* who) {
    if (status == CUBLAS_STATUS_SUCCESS) return;
    cudaGetLastError();
    throw Error("[" + std::string(who) + "] " + cublasGetStatusName(status) + hint(status));
}

cublasComputeType_t compute_type(Precision precision) {
    switch (precision) {
        case Precision::tf32:
            return CUBLAS_COMPUTE_32F_FAST_TF32;
        case Precision::bf16:
            return CUBLAS_COMPUTE_32F_FAST_16BF;
        default:
            return CUBLAS_COMPUTE_32F;
    }
}

cublasOperation_t operation(bool transpose) { return transpose ? CUBLAS_OP_T : CUBLAS_OP_N; }

constexpr size_t kWorkspace = size_t{32} << 20;  // what NVIDIA recommends for Hopper; smaller GPUs need less

// A handle with a workspace of its own, for the life of the process: cuBLAS's default one would be allocated
// in the middle of a captured graph. One thread at a time, because the workspace is one.
struct Blas {
    std::mutex mutex;
    cublasHandle_t handle = nullptr;
    void* workspace = nullptr;

    explicit Blas(const char* who) {
        check(cublasCreate(&handle), who);
        LILY_CUDA_DEVICE::check(cudaMalloc(&workspace, kWorkspace), who);
    }
};

Blas& blas(const char* who) {
    static auto& made = *new Blas(who);
    return made;
}

struct LtPlan {
    cublasLtMatmulDesc_t product = nullptr;
    cublasLtMatrixLayout_t weight = nullptr, x = nullptr, y = nullptr;
    cublasLtMatmulAlgo_t algorithm{};
    size_t workspace = 0;

    LtPlan() = default;
    ~LtPlan() {
        if (product) cublasLtMatmulDescDestroy(product);
        for (cublasLtMatrixLayout_t layout : {weight, x, y})
            if (layout) cublasLtMatrixLayoutDestroy(layout);
    }
    LtPlan(const LtPlan&) = delete;
    LtPlan& operator=(const LtPlan&) = delete;
};

using LtKey = std::tuple<LtLinear, Precision, bool>;  // the last: with a bias

// Descriptors and the heuristic's choice are made once per shape and kept. One thread at a time: the bias is
// set in the plan.
struct Lt {
    std::mutex mutex;
    cublasLtHandle_t handle = nullptr;
    PlanStore<LtKey, LtPlan, kMostLtPlans> plans;

    explicit Lt(const char* who) { check(cublasLtCreate(&handle), who); }
};

Lt& lt(const char* who) {
    static auto& made = *new Lt(who);
    return made;
}

// Column-major: Yᵀ (out, rows) = W (out, in) xᵀ (in, rows); in memory W is (in, out) by columns.
std::shared_ptr<const LtPlan> make_plan(const char* who, cublasLtHandle_t handle, const LtKey& key) {
    const auto& [s, precision, with_bias] = key;
    const auto made = std::make_shared<LtPlan>();
    LtPlan& plan = *made;
    check(cublasLtMatmulDescCreate(&plan.product, compute_type(precision), CUDA_R_32F), who);
    const auto set = [&](cublasLtMatmulDescAttributes_t attribute, auto value) {
        check(cublasLtMatmulDescSetAttribute(plan.product, attribute, &value, sizeof value), who);
    };
    set(CUBLASLT_MATMUL_DESC_TRANSA, CUBLAS_OP_T);
    set(CUBLASLT_MATMUL_DESC_TRANSB, CUBLAS_OP_N);
    set(CUBLASLT_MATMUL_DESC_EPILOGUE,
        with_bias ? CUBLASLT_EPILOGUE_BIAS : CUBLASLT_EPILOGUE_DEFAULT);  // its ReLU turns NaN into 0
    const auto layout = [&](cublasLtMatrixLayout_t& made, int64_t rows, int64_t columns) {
        check(cublasLtMatrixLayoutCreate(&made, CUDA_R_32F, static_cast<uint64_t>(rows),
                                         static_cast<uint64_t>(columns), rows),
              who);
    };
    layout(plan.weight, s.in, s.out);
    layout(plan.x, s.in, s.rows);
    layout(plan.y, s.out, s.rows);
    cublasLtMatmulPreference_t preference = nullptr;
    check(cublasLtMatmulPreferenceCreate(&preference), who);
    const auto preferred = std::unique_ptr<std::remove_pointer_t<cublasLtMatmulPreference_t>,
                                           decltype(&cublasLtMatmulPreferenceDestroy)>(
        preference, cublasLtMatmulPreferenceDestroy);
    check(cublasLtMatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                               &kWorkspace, sizeof kWorkspace),
          who);
    cublasLtMatmulHeuristicResult_t best{};
    int found = 0;
    check(cublasLtMatmulAlgoGetHeuristic(handle, plan.product, plan.weight, plan.x, plan.y, plan.y,
                                         preference, 1, &best, &found),
          who);
    check(found > 0 ? best.state : CUBLAS_STATUS_NOT_SUPPORTED, who);
    plan.algorithm = best.algo;
    plan.workspace = best.workspaceSize;
    return made;
}

}  // namespace

void cublas_product(const char* who, Queue& queue, Precision precision, const BlasProduct& s, const float* a,
                    const float* b, float beta, float* c) {
    Blas& library = blas(who);
    const std::lock_guard lock(library.mutex);
    check(cublasSetStream(library.handle, stream(queue)), who);
    check(cublasSetWorkspace(library.handle, library.workspace, kWorkspace), who);  // a new stream forgets it
    const auto number = [](int64_t size) { return static_cast<int>(size); };
    const float one = 1;
    const auto a_op = operation(s.transpose_a), b_op = operation(s.transpose_b);
    const int m = number(s.m), n = number(s.n), k = number(s.k);
    const int lda = number(s.lda), ldb = number(s.ldb), ldc = number(s.ldc);
    const cublasComputeType_t type = compute_type(precision);
    if (s.batch == 1)
        return check(cublasGemmEx(library.handle, b_op, a_op, n, m, k, &one, b, CUDA_R_32F, ldb, a,
                                  CUDA_R_32F, lda, &beta, c, CUDA_R_32F, ldc, type, CUBLAS_GEMM_DEFAULT),
                     who);
    check(cublasGemmStridedBatchedEx(library.handle, b_op, a_op, n, m, k, &one, b, CUDA_R_32F, ldb,
                                     s.b_stride, a, CUDA_R_32F, lda, s.a_stride, &beta, c, CUDA_R_32F, ldc,
                                     s.c_stride, number(s.batch), type, CUBLAS_GEMM_DEFAULT),
          who);
}

void cublaslt_linear(const char* who, Queue& queue, Precision precision, const LtLinear& s, float scale,
                     const float* x, const float* weight, const float* bias, float* y) {
    Lt& library = lt(who);
    const std::lock_guard lock(library.mutex);
    const LtKey key{s, precision, bias != nullptr};
    const auto kept = library.plans.get(key, [&] { return make_plan(who, library.handle, key); });
    const LtPlan& plan = *kept;
    if (bias)
        check(cublasLtMatmulDescSetAttribute(plan.product, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias,
                                             sizeof bias),
              who);
    const auto workspace = queue.scratch<char>(static_cast<int64_t>(plan.workspace));
    const float zero = 0;
    check(cublasLtMatmul(library.handle, plan.product, &scale, weight, plan.weight, x, plan.x, &zero, y,
                         plan.y, y, plan.y, &plan.algorithm, workspace.data(), plan.workspace, stream(queue)),
          who);
}

}  // namespace lily::kernels::LILY_CUDA_DEVICE
