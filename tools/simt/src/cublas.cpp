// SPDX-License-Identifier: MIT
// cuBLAS's matrix products: every argument is checked as its manual says, the work goes into the handle's
// stream.
#include "cublas_v2.h"

#include <algorithm>
#include <set>

#include "api.h"
#include "library.h"
#include "stream.h"

inline namespace simt_cuda {

struct cublasContext {
    cudaStream_t stream = nullptr;
    cublasMath_t math = CUBLAS_DEFAULT_MATH;
    cublasPointerMode_t pointers = CUBLAS_POINTER_MODE_HOST;
    bool own_workspace = false;  // the caller's
};

}  // namespace simt_cuda

namespace simt {
namespace {

std::set<cublasContext*>& handles() {
    static auto* const living = new std::set<cublasContext*>;
    return *living;
}

// One product, or a batch of them.
struct Gemm {
    cublasOperation_t ta, tb;
    int m, n, k;
    const void *alpha, *a;
    cudaDataType a_type;
    int lda;
    long long stride_a;
    const void* b;
    cudaDataType b_type;
    int ldb;
    long long stride_b;
    const void* beta;
    void* c;
    cudaDataType c_type;
    int ldc;
    long long stride_c;
    int batch;
    cublasComputeType_t compute;
};

// Elements from the first to the last of a column-major matrix.
size_t extent(int64_t rows, int64_t columns, int64_t ld) {
    return rows == 0 || columns == 0 ? 0 : static_cast<size_t>((columns - 1) * ld + rows);
}

Rounding rounding_of(const cublasContext& handle, const Gemm& g) {
    if (g.a_type != CUDA_R_32F) return Rounding::none;
    if (g.compute == CUBLAS_COMPUTE_32F_FAST_TF32) return Rounding::tf32;
    if (g.compute == CUBLAS_COMPUTE_32F_FAST_16BF) return Rounding::bf16;
    if (g.compute == CUBLAS_COMPUTE_32F_FAST_16F) return Rounding::half;
    return g.compute == CUBLAS_COMPUTE_32F && handle.math == CUBLAS_TF32_TENSOR_OP_MATH ? Rounding::tf32
                                                                                        : Rounding::none;
}

cudaError_t run(const Gemm& g, float alpha, float beta, Rounding rounding, const char* name,
                const void* site) {
    const Call again(name, site, true);
    const bool ta = g.ta != CUBLAS_OP_N, tb = g.tb != CUBLAS_OP_N;
    const auto read = [&](const char* what, const void* first, int64_t rows, int64_t columns, int64_t ld,
                          size_t size) {
        for (int64_t j = 0; j < columns; ++j) {
            const auto* column = static_cast<const char*>(first) + static_cast<size_t>(j * ld) * size;
            const cudaError_t error = check_read(name, site, what, column, static_cast<size_t>(rows) * size);
            if (error != cudaSuccess) return error;
        }
        return cudaSuccess;
    };
    const size_t a_size = size_of(g.a_type), b_size = size_of(g.b_type), c_size = size_of(g.c_type);
    for (int64_t i = 0; i < g.batch; ++i) {
        const auto* a = static_cast<const char*>(g.a) + static_cast<int64_t>(a_size) * i * g.stride_a;
        const auto* b = static_cast<const char*>(g.b) + static_cast<int64_t>(b_size) * i * g.stride_b;
        auto* c = static_cast<char*>(g.c) + static_cast<int64_t>(c_size) * i * g.stride_c;
        cudaError_t error = read("A", a, ta ? g.k : g.m, ta ? g.m : g.k, g.lda, a_size);
        if (error == cudaSuccess) error = read("B", b, tb ? g.n : g.k, tb ? g.k : g.n, g.ldb, b_size);
        if (error == cudaSuccess && beta != 0) error = read("C", c, g.m, g.n, g.ldc, c_size);
        if (error != cudaSuccess) return error;
        multiply(g.m, g.n, g.k, alpha, {a, g.a_type, g.lda, ta}, {b, g.b_type, g.ldb, tb}, beta, c, g.c_type,
                 g.ldc, rounding);
        for (int64_t j = 0; j < g.n; ++j)
            written(c + static_cast<size_t>(j * g.ldc) * c_size, static_cast<size_t>(g.m) * c_size);
    }
    return cudaSuccess;
}

cublasStatus_t enqueue_gemm(const Call& call, cublasHandle_t handle, const Gemm& g) {
    const auto refuse = [&](cublasStatus_t status, const std::string& why) {
        call.mistake(FaultKind::library, cudaErrorInvalidValue, why);
        return status;
    };
    const auto invalid = [&](const std::string& why) { return refuse(CUBLAS_STATUS_INVALID_VALUE, why); };
    if (!handles().contains(handle))
        return refuse(CUBLAS_STATUS_NOT_INITIALIZED, "the handle does not exist");
    if (sticky_error() != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
    for (const cublasOperation_t operation : {g.ta, g.tb})
        if (operation < CUBLAS_OP_N || operation > CUBLAS_OP_C)
            return invalid("no such operation on a matrix");
    if (g.m < 0 || g.n < 0 || g.k < 0 || g.batch < 0) return invalid("a negative size");
    const bool ta = g.ta != CUBLAS_OP_N, tb = g.tb != CUBLAS_OP_N;
    const int a_rows = ta ? g.k : g.m, b_rows = tb ? g.n : g.k;
    const auto ld = [](const char* name, int value, int rows) {
        return std::string(name) + " = " + std::to_string(value) + ", but the matrix has " +
               std::to_string(rows) + " rows";
    };
    if (g.lda < std::max(1, a_rows)) return invalid(ld("lda", g.lda, a_rows));
    if (g.ldb < std::max(1, b_rows)) return invalid(ld("ldb", g.ldb, b_rows));
    if (g.ldc < std::max(1, g.m)) return invalid(ld("ldc", g.ldc, g.m));
    if (size_of(g.a_type) == 0 || g.a_type != g.b_type || size_of(g.c_type) == 0 ||
        (g.c_type != CUDA_R_32F && g.c_type != g.a_type) || g.compute < CUBLAS_COMPUTE_32F ||
        g.compute == CUBLAS_COMPUTE_64F)
        return refuse(CUBLAS_STATUS_NOT_SUPPORTED,
                      "no product of these types here: f32, half and bf16, computed in f32");
    if (g.batch > 1 && g.stride_c < static_cast<long long>(extent(g.m, g.n, g.ldc)))
        return invalid("the results of the batch overlap");
    if (g.alpha == nullptr || g.beta == nullptr) return invalid("alpha or beta is null");
    if (g.m == 0 || g.n == 0 || g.batch == 0) return CUBLAS_STATUS_SUCCESS;
    const auto bytes = [&](int64_t rows, int64_t columns, int64_t ld, int64_t stride, cudaDataType type) {
        return (extent(rows, columns, ld) + static_cast<size_t>((g.batch - 1) * stride)) * size_of(type);
    };
    const auto place = [&](const char* name, const void* p, size_t needed) {
        const std::string complaint = needed == 0 ? "" : complaint_about(p, needed);
        return complaint.empty() ? "" : name + (" " + complaint);
    };
    for (const std::string& complaint :
         {place("A", g.a, bytes(a_rows, ta ? g.m : g.k, g.lda, g.stride_a, g.a_type)),
          place("B", g.b, bytes(b_rows, tb ? g.k : g.n, g.ldb, g.stride_b, g.b_type)),
          place("C", g.c, bytes(g.m, g.n, g.ldc, g.stride_c, g.c_type))})
        if (!complaint.empty()) return invalid(complaint);
    CUstream_st* stream = stream_of(handle->stream);
    if (stream == nullptr) return refuse(CUBLAS_STATUS_EXECUTION_FAILED, "the stream does not exist");
    if (stream->capture && !handle->own_workspace)
        call.mistake(FaultKind::library, cudaErrorStreamCaptureUnsupported,
                     "without a workspace of the caller's, cuBLAS allocates inside of the capture; "
                     "cublasSetWorkspace comes after cublasSetStream, which forgets it");
    const bool host = handle->pointers == CUBLAS_POINTER_MODE_HOST;
    const Rounding rounding = rounding_of(*handle, g);
    const float alpha = host ? *static_cast<const float*>(g.alpha) : 0,
                beta = host ? *static_cast<const float*>(g.beta) : 0;
    const auto work = [=, name = call.name(), site = call.site()] {
        if (host) return run(g, alpha, beta, rounding, name, site);
        for (const void* scalar : {g.alpha, g.beta})
            if (const cudaError_t error = check_read(name, site, "alpha or beta", scalar, 4);
                error != cudaSuccess)
                return error;
        return run(g, *static_cast<const float*>(g.alpha), *static_cast<const float*>(g.beta), rounding, name,
                   site);
    };
    return enqueue(stream, {cudaGraphNodeTypeKernel, call.name(), work, false, call.site()}) == cudaSuccess
               ? CUBLAS_STATUS_SUCCESS
               : CUBLAS_STATUS_EXECUTION_FAILED;
}

cublasStatus_t with(const Call& call, cublasHandle_t handle, void (*change)(cublasContext&, const void*),
                    const void* value) {
    if (!handles().contains(handle)) {
        call.mistake(FaultKind::library, cudaErrorInvalidValue, "the handle does not exist");
        return CUBLAS_STATUS_NOT_INITIALIZED;
    }
    change(*handle, value);
    return CUBLAS_STATUS_SUCCESS;
}

}  // namespace
}  // namespace simt

inline namespace simt_cuda {

using simt::Call;

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
    const Call call("cublasCreate", __builtin_return_address(0));
    if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    simt::handles().insert(*handle = new cublasContext);
    return CUBLAS_STATUS_SUCCESS;
}

// Waits for the device, as the manual says.
cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
    const Call call("cublasDestroy", __builtin_return_address(0));
    if (simt::handles().erase(handle) == 0) return CUBLAS_STATUS_NOT_INITIALIZED;
    delete handle;
    simt::drain_all();
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetVersion_v2(cublasHandle_t, int* version) {
    const Call call("cublasGetVersion", __builtin_return_address(0));
    *version = CUBLAS_VER_MAJOR * 10000 + CUBLAS_VER_MINOR * 100 + CUBLAS_VER_PATCH;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetProperty(libraryPropertyType type, int* value) {
    const Call call(__func__, __builtin_return_address(0));
    constexpr int kParts[] = {CUBLAS_VER_MAJOR, CUBLAS_VER_MINOR, CUBLAS_VER_PATCH};
    if (value == nullptr || type < MAJOR_VERSION || type > PATCH_LEVEL) return CUBLAS_STATUS_INVALID_VALUE;
    *value = kParts[type];
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, size_t workspaceSizeInBytes) {
    const Call call("cublasSetWorkspace", __builtin_return_address(0));
    if (workspaceSizeInBytes > 0 && !simt::complaint_about(workspace, workspaceSizeInBytes).empty()) {
        call.mistake(simt::FaultKind::library, cudaErrorInvalidValue,
                     "the workspace " + simt::complaint_about(workspace, workspaceSizeInBytes));
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    return simt::with(
        call, handle, [](cublasContext& c, const void* v) { c.own_workspace = v != nullptr; }, workspace);
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t streamId) {
    const Call call("cublasSetStream", __builtin_return_address(0));
    return simt::with(
        call, handle,
        [](cublasContext& c, const void* v) {
            c.stream = *static_cast<const cudaStream_t*>(v);
            c.own_workspace = false;  // as the manual says
        },
        &streamId);
}

cublasStatus_t cublasSetMathMode(cublasHandle_t handle, cublasMath_t mode) {
    const Call call(__func__, __builtin_return_address(0));
    return simt::with(
        call, handle, [](cublasContext& c, const void* v) { c.math = *static_cast<const cublasMath_t*>(v); },
        &mode);
}

cublasStatus_t cublasSetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t mode) {
    const Call call("cublasSetPointerMode", __builtin_return_address(0));
    return simt::with(
        call, handle,
        [](cublasContext& c, const void* v) { c.pointers = *static_cast<const cublasPointerMode_t*>(v); },
        &mode);
}

cublasStatus_t cublasGetStream_v2(cublasHandle_t handle, cudaStream_t* streamId) {
    const Call call("cublasGetStream", __builtin_return_address(0));
    if (!simt::handles().contains(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
    *streamId = handle->stream;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetMathMode(cublasHandle_t handle, cublasMath_t* mode) {
    const Call call(__func__, __builtin_return_address(0));
    if (!simt::handles().contains(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
    *mode = handle->math;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t* mode) {
    const Call call("cublasGetPointerMode", __builtin_return_address(0));
    if (!simt::handles().contains(handle)) return CUBLAS_STATUS_NOT_INITIALIZED;
    *mode = handle->pointers;
    return CUBLAS_STATUS_SUCCESS;
}

const char* cublasGetStatusName(cublasStatus_t status) {
    simt::count_call(__func__);
    switch (status) {
        case CUBLAS_STATUS_SUCCESS:
            return "CUBLAS_STATUS_SUCCESS";
        case CUBLAS_STATUS_NOT_INITIALIZED:
            return "CUBLAS_STATUS_NOT_INITIALIZED";
        case CUBLAS_STATUS_INVALID_VALUE:
            return "CUBLAS_STATUS_INVALID_VALUE";
        case CUBLAS_STATUS_EXECUTION_FAILED:
            return "CUBLAS_STATUS_EXECUTION_FAILED";
        case CUBLAS_STATUS_NOT_SUPPORTED:
            return "CUBLAS_STATUS_NOT_SUPPORTED";
        default:
            return "an unknown cublasStatus_t";
    }
}
const char* cublasGetStatusString(cublasStatus_t status) {
    simt::count_call(__func__);
    return cublasGetStatusName(status);
}

cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb,
                              int m, int n, int k, const float* alpha, const float* A, int lda,
                              const float* B, int ldb, const float* beta, float* C, int ldc) {
    const Call call("cublasSgemm", __builtin_return_address(0));
    return simt::enqueue_gemm(
        call, handle,
        {transa, transb, m, n,          k,   alpha, A, CUDA_R_32F,        lda, 0, B, CUDA_R_32F, ldb,
         0,      beta,   C, CUDA_R_32F, ldc, 0,     1, CUBLAS_COMPUTE_32F});
}

cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transa,
                                         cublasOperation_t transb, int m, int n, int k, const float* alpha,
                                         const float* A, int lda, long long int strideA, const float* B,
                                         int ldb, long long int strideB, const float* beta, float* C, int ldc,
                                         long long int strideC, int batchCount) {
    const Call call(__func__, __builtin_return_address(0));
    return simt::enqueue_gemm(
        call, handle,
        {transa,     transb, m,       n,    k, alpha,      A,   CUDA_R_32F, lda,        strideA,           B,
         CUDA_R_32F, ldb,    strideB, beta, C, CUDA_R_32F, ldc, strideC,    batchCount, CUBLAS_COMPUTE_32F});
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transa, cublasOperation_t transb, int m,
                            int n, int k, const void* alpha, const void* A, cudaDataType Atype, int lda,
                            const void* B, cudaDataType Btype, int ldb, const void* beta, void* C,
                            cudaDataType Ctype, int ldc, cublasComputeType_t computeType, cublasGemmAlgo_t) {
    const Call call(__func__, __builtin_return_address(0));
    return simt::enqueue_gemm(call, handle,
                              {transa, transb, m, n,    k, alpha, A,   Atype, lda, 0,          B,
                               Btype,  ldb,    0, beta, C, Ctype, ldc, 0,     1,   computeType});
}

cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t transa,
                                          cublasOperation_t transb, int m, int n, int k, const void* alpha,
                                          const void* A, cudaDataType Atype, int lda, long long int strideA,
                                          const void* B, cudaDataType Btype, int ldb, long long int strideB,
                                          const void* beta, void* C, cudaDataType Ctype, int ldc,
                                          long long int strideC, int batchCount,
                                          cublasComputeType_t computeType, cublasGemmAlgo_t) {
    const Call call(__func__, __builtin_return_address(0));
    return simt::enqueue_gemm(
        call, handle, {transa, transb, m,       n,    k, alpha, A,   Atype,   lda,        strideA,    B,
                       Btype,  ldb,    strideB, beta, C, Ctype, ldc, strideC, batchCount, computeType});
}

}  // namespace simt_cuda
