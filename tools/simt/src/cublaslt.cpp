// SPDX-License-Identifier: MIT
// D = epilogue(alpha op(A) op(B) + beta C), where the epilogue may add a bias to every column and apply ReLU
// or GELU.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

#include "api.h"
#include "cublasLt.h"
#include "library.h"
#include "stream.h"

inline namespace simt_cuda {

struct cublasLtContext {};
struct cublasLtMatmulDescOpaque_t {
    cublasComputeType_t compute;
    cublasOperation_t ta = CUBLAS_OP_N, tb = CUBLAS_OP_N;
    cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    cublasPointerMode_t pointers = CUBLAS_POINTER_MODE_HOST;
    const void* bias = nullptr;
    cudaDataType bias_type = CUDA_R_32F;
    bool bias_typed = false;
};
struct cublasLtMatrixLayoutOpaque_t {
    cudaDataType type;
    uint64_t rows, columns;
    int64_t ld;
    cublasLtOrder_t order = CUBLASLT_ORDER_COL;
    int batch = 1;
    int64_t stride = 0;
};
struct cublasLtMatmulPreferenceOpaque_t {
    uint64_t workspace = 0;
};

}  // namespace simt_cuda

namespace simt {
namespace {

using Desc = cublasLtMatmulDescOpaque_t;
using Layout = cublasLtMatrixLayoutOpaque_t;

std::set<cublasLtHandle_t>& handles() {
    static auto* const living = new std::set<cublasLtHandle_t>;
    return *living;
}

cublasStatus_t refuse(const Call& call, cublasStatus_t status, const std::string& why) {
    call.mistake(FaultKind::library, cudaErrorInvalidValue, why);
    return status;
}

template <class T>
bool take(T& member, const void* buffer, size_t bytes) {
    if (buffer == nullptr || bytes != sizeof(T)) return false;
    std::memcpy(&member, buffer, sizeof(T));
    return true;
}

size_t bytes(const Layout& l) {
    const auto one = l.rows == 0 || l.columns == 0
                         ? 0
                         : static_cast<int64_t>(l.columns - 1) * l.ld + static_cast<int64_t>(l.rows);
    return static_cast<size_t>(one + (l.batch - 1) * l.stride) * size_of(l.type);
}

bool has_bias(const Desc& desc) { return (desc.epilogue & CUBLASLT_EPILOGUE_BIAS) != 0; }

std::string shape(const Layout& l) {
    return "(" + std::to_string(l.rows) + "," + std::to_string(l.columns) + ")";
}

cublasStatus_t check(const Call& call, cublasLtHandle_t handle, const Desc* desc, const Layout* a,
                     const Layout* b, const Layout* c, const Layout* d) {
    const auto invalid = [&](const std::string& why) {
        return refuse(call, CUBLAS_STATUS_INVALID_VALUE, why);
    };
    if (!handles().contains(handle))
        return refuse(call, CUBLAS_STATUS_NOT_INITIALIZED, "the handle does not exist");
    if (sticky_error() != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
    if (desc == nullptr || a == nullptr || b == nullptr || c == nullptr || d == nullptr)
        return invalid("a descriptor is null");
    for (const Layout* l : {a, b, c, d}) {
        if (l->order != CUBLASLT_ORDER_COL)
            return refuse(call, CUBLAS_STATUS_NOT_SUPPORTED, "only column order is here");
        if (l->ld < static_cast<int64_t>(std::max<uint64_t>(1, l->rows)))
            return invalid("ld = " + std::to_string(l->ld) + ", but the matrix is " + shape(*l));
        if (l->batch != d->batch) return invalid("the numbers of matrices in the batches differ");
        if (size_of(l->type) == 0)
            return refuse(call, CUBLAS_STATUS_NOT_SUPPORTED, "only f32, half and bf16 are here");
    }
    const bool ta = desc->ta != CUBLAS_OP_N, tb = desc->tb != CUBLAS_OP_N;
    const uint64_t m = ta ? a->columns : a->rows, k = ta ? a->rows : a->columns;
    const uint64_t n = tb ? b->rows : b->columns, other_k = tb ? b->columns : b->rows;
    if (k != other_k || d->rows != m || d->columns != n || c->rows != m || c->columns != n)
        return invalid("op(A) is " + std::to_string(m) + " x " + std::to_string(k) + ", op(B) " +
                       std::to_string(other_k) + " x " + std::to_string(n) + ", C " + shape(*c) + ", D " +
                       shape(*d));
    if (a->type != b->type || c->type != d->type || (d->type != CUDA_R_32F && d->type != a->type))
        return refuse(call, CUBLAS_STATUS_NOT_SUPPORTED, "no product of these types here");
    const int plain = desc->epilogue & ~CUBLASLT_EPILOGUE_BIAS;
    if (plain != 0 && plain != CUBLASLT_EPILOGUE_DEFAULT && plain != CUBLASLT_EPILOGUE_RELU &&
        plain != CUBLASLT_EPILOGUE_GELU)
        return refuse(call, CUBLAS_STATUS_NOT_SUPPORTED,
                      "the epilogue " + std::to_string(desc->epilogue) + " is not here");
    return CUBLAS_STATUS_SUCCESS;
}

Rounding rounding_of(const Desc& desc, const Layout& a) {
    if (a.type != CUDA_R_32F) return Rounding::none;
    if (desc.compute == CUBLAS_COMPUTE_32F_FAST_TF32) return Rounding::tf32;
    if (desc.compute == CUBLAS_COMPUTE_32F_FAST_16BF) return Rounding::bf16;
    return desc.compute == CUBLAS_COMPUTE_32F_FAST_16F ? Rounding::half : Rounding::none;
}

struct Matmul {
    Desc desc;
    Layout la, lb, lc, ld;
    const void *a, *b, *c;
    void* d;
    float alpha, beta;
};

cudaError_t run(const Matmul& t, const char* name, const void* site) {
    const Call again(name, site, true);
    const auto m = static_cast<int64_t>(t.ld.rows), n = static_cast<int64_t>(t.ld.columns);
    const auto k = static_cast<int64_t>(t.desc.ta != CUBLAS_OP_N ? t.la.rows : t.la.columns);
    const auto matrix = [](const Layout& l, const void* first, int64_t i) {
        return static_cast<const char*>(first) + static_cast<int64_t>(size_of(l.type)) * i * l.stride;
    };
    const auto read = [&](const char* what, const Layout& l, const void* first) {
        for (uint64_t j = 0; j < l.columns; ++j) {
            const auto* column =
                static_cast<const char*>(first) + j * static_cast<uint64_t>(l.ld) * size_of(l.type);
            if (const cudaError_t error = check_read(name, site, what, column, l.rows * size_of(l.type));
                error != cudaSuccess)
                return error;
        }
        return cudaSuccess;
    };
    std::vector<float> bias(static_cast<size_t>(m));
    if (has_bias(t.desc)) {
        const size_t size = size_of(t.desc.bias_type);
        if (const cudaError_t error = check_read(name, site, "the bias", t.desc.bias, bias.size() * size);
            error != cudaSuccess)
            return error;
        load(t.desc.bias, t.desc.bias_type, m, bias.data(), Rounding::none);
    }
    std::vector<float> product(static_cast<size_t>(m * n)), old(static_cast<size_t>(m));
    const int plain = t.desc.epilogue & ~CUBLASLT_EPILOGUE_BIAS;
    for (int64_t i = 0; i < t.ld.batch; ++i) {
        const char *a = matrix(t.la, t.a, i), *b = matrix(t.lb, t.b, i), *c = matrix(t.lc, t.c, i);
        char* d = const_cast<char*>(matrix(t.ld, t.d, i));
        cudaError_t error = read("A", t.la, a);
        if (error == cudaSuccess) error = read("B", t.lb, b);
        if (error == cudaSuccess && t.beta != 0) error = read("C", t.lc, c);
        if (error != cudaSuccess) return error;
        multiply(m, n, k, t.alpha, {a, t.la.type, t.la.ld, t.desc.ta != CUBLAS_OP_N},
                 {b, t.lb.type, t.lb.ld, t.desc.tb != CUBLAS_OP_N}, 0, product.data(), CUDA_R_32F, m,
                 rounding_of(t.desc, t.la));
        for (int64_t j = 0; j < n; ++j) {
            float* column = product.data() + j * m;
            if (t.beta != 0)
                load(c + static_cast<size_t>(j * t.lc.ld) * size_of(t.lc.type), t.lc.type, m, old.data(),
                     Rounding::none);
            for (int64_t r = 0; r < m; ++r) {
                float x = column[r] + (t.beta != 0 ? t.beta * old[static_cast<size_t>(r)] : 0) +
                          bias[static_cast<size_t>(r)];
                if (plain == CUBLASLT_EPILOGUE_RELU && !(x > 0)) x = 0;  // NaN too
                if (plain == CUBLASLT_EPILOGUE_GELU)                     // its approximation by tanh
                    x = 0.5f * x * (1 + std::tanh(0.7978845608f * (x + 0.044715f * x * x * x)));
                column[r] = x;
            }
            char* to = d + static_cast<size_t>(j * t.ld.ld) * size_of(t.ld.type);
            store(column, t.ld.type, m, to);
            written(to, static_cast<size_t>(m) * size_of(t.ld.type));
        }
    }
    return cudaSuccess;
}

}  // namespace
}  // namespace simt

inline namespace simt_cuda {

using simt::Call;
using simt::refuse;
using simt::take;

size_t cublasLtGetVersion() {
    const Call call(__func__, __builtin_return_address(0));
    return CUBLAS_VER_MAJOR * 10000 + CUBLAS_VER_MINOR * 100 + CUBLAS_VER_PATCH;
}

cublasStatus_t cublasLtCreate(cublasLtHandle_t* lightHandle) {
    const Call call(__func__, __builtin_return_address(0));
    simt::handles().insert(*lightHandle = new cublasLtContext);
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtDestroy(cublasLtHandle_t lightHandle) {
    const Call call(__func__, __builtin_return_address(0));
    if (simt::handles().erase(lightHandle) == 0)
        return refuse(call, CUBLAS_STATUS_NOT_INITIALIZED, "the handle does not exist");
    delete lightHandle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescCreate(cublasLtMatmulDesc_t* matmulDesc, cublasComputeType_t computeType,
                                        cudaDataType_t scaleType) {
    const Call call(__func__, __builtin_return_address(0));
    if (scaleType != CUDA_R_32F || computeType < CUBLAS_COMPUTE_32F || computeType == CUBLAS_COMPUTE_64F)
        return refuse(call, CUBLAS_STATUS_NOT_SUPPORTED,
                      "only products that are computed and scaled in f32 are here");
    *matmulDesc = new cublasLtMatmulDescOpaque_t{.compute = computeType};
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulDescDestroy(cublasLtMatmulDesc_t matmulDesc) {
    simt::count_call(__func__);
    delete matmulDesc;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmulDescSetAttribute(cublasLtMatmulDesc_t matmulDesc,
                                              cublasLtMatmulDescAttributes_t attr, const void* buf,
                                              size_t sizeInBytes) {
    const Call call(__func__, __builtin_return_address(0));
    const auto taken = [&] {
        switch (attr) {
            case CUBLASLT_MATMUL_DESC_TRANSA:
                return take(matmulDesc->ta, buf, sizeInBytes);
            case CUBLASLT_MATMUL_DESC_TRANSB:
                return take(matmulDesc->tb, buf, sizeInBytes);
            case CUBLASLT_MATMUL_DESC_EPILOGUE:
                return take(matmulDesc->epilogue, buf, sizeInBytes);
            case CUBLASLT_MATMUL_DESC_POINTER_MODE:
                return take(matmulDesc->pointers, buf, sizeInBytes);
            case CUBLASLT_MATMUL_DESC_BIAS_POINTER:
                return take(matmulDesc->bias, buf, sizeInBytes);
            case CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE:
                return matmulDesc->bias_typed = take(matmulDesc->bias_type, buf, sizeInBytes);
            default:
                return false;
        }
    }();
    return taken
               ? CUBLAS_STATUS_SUCCESS
               : refuse(call, CUBLAS_STATUS_INVALID_VALUE, "no such attribute here, or one of another size");
}

cublasStatus_t cublasLtMatrixLayoutCreate(cublasLtMatrixLayout_t* matLayout, cudaDataType type, uint64_t rows,
                                          uint64_t cols, int64_t ld) {
    const Call call(__func__, __builtin_return_address(0));
    *matLayout = new cublasLtMatrixLayoutOpaque_t{.type = type, .rows = rows, .columns = cols, .ld = ld};
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatrixLayoutDestroy(cublasLtMatrixLayout_t matLayout) {
    simt::count_call(__func__);
    delete matLayout;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatrixLayoutSetAttribute(cublasLtMatrixLayout_t matLayout,
                                                cublasLtMatrixLayoutAttribute_t attr, const void* buf,
                                                size_t sizeInBytes) {
    const Call call(__func__, __builtin_return_address(0));
    const auto taken = [&] {
        switch (attr) {
            case CUBLASLT_MATRIX_LAYOUT_ORDER:
                return take(matLayout->order, buf, sizeInBytes);
            case CUBLASLT_MATRIX_LAYOUT_ROWS:
                return take(matLayout->rows, buf, sizeInBytes);
            case CUBLASLT_MATRIX_LAYOUT_COLS:
                return take(matLayout->columns, buf, sizeInBytes);
            case CUBLASLT_MATRIX_LAYOUT_LD:
                return take(matLayout->ld, buf, sizeInBytes);
            case CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT:
                return take(matLayout->batch, buf, sizeInBytes);
            case CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET:
                return take(matLayout->stride, buf, sizeInBytes);
            default:
                return false;
        }
    }();
    return taken
               ? CUBLAS_STATUS_SUCCESS
               : refuse(call, CUBLAS_STATUS_INVALID_VALUE, "no such attribute here, or one of another size");
}

cublasStatus_t cublasLtMatmulPreferenceCreate(cublasLtMatmulPreference_t* pref) {
    const Call call(__func__, __builtin_return_address(0));
    *pref = new cublasLtMatmulPreferenceOpaque_t;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceDestroy(cublasLtMatmulPreference_t pref) {
    simt::count_call(__func__);
    delete pref;
    return CUBLAS_STATUS_SUCCESS;
}
cublasStatus_t cublasLtMatmulPreferenceSetAttribute(cublasLtMatmulPreference_t pref,
                                                    cublasLtMatmulPreferenceAttributes_t attr,
                                                    const void* buf, size_t sizeInBytes) {
    const Call call(__func__, __builtin_return_address(0));
    if (attr == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES && take(pref->workspace, buf, sizeInBytes))
        return CUBLAS_STATUS_SUCCESS;
    return refuse(call, CUBLAS_STATUS_INVALID_VALUE, "no such attribute here, or one of another size");
}

cublasStatus_t cublasLtMatmulAlgoGetHeuristic(cublasLtHandle_t lightHandle,
                                              cublasLtMatmulDesc_t operationDesc,
                                              cublasLtMatrixLayout_t Adesc, cublasLtMatrixLayout_t Bdesc,
                                              cublasLtMatrixLayout_t Cdesc, cublasLtMatrixLayout_t Ddesc,
                                              cublasLtMatmulPreference_t preference, int requestedAlgoCount,
                                              cublasLtMatmulHeuristicResult_t* heuristicResultsArray,
                                              int* returnAlgoCount) {
    const Call call(__func__, __builtin_return_address(0));
    const cublasStatus_t status = simt::check(call, lightHandle, operationDesc, Adesc, Bdesc, Cdesc, Ddesc);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    if (preference == nullptr || requestedAlgoCount < 1) return CUBLAS_STATUS_INVALID_VALUE;
    heuristicResultsArray[0] = {};
    heuristicResultsArray[0].workspaceSize = std::min<uint64_t>(preference->workspace, 4096);
    heuristicResultsArray[0].algo.data[0] = heuristicResultsArray[0].workspaceSize;  // what it will insist on
    heuristicResultsArray[0].wavesCount = 1;
    *returnAlgoCount = 1;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasLtMatmul(cublasLtHandle_t lightHandle, cublasLtMatmulDesc_t computeDesc,
                              const void* alpha, const void* A, cublasLtMatrixLayout_t Adesc, const void* B,
                              cublasLtMatrixLayout_t Bdesc, const void* beta, const void* C,
                              cublasLtMatrixLayout_t Cdesc, void* D, cublasLtMatrixLayout_t Ddesc,
                              const cublasLtMatmulAlgo_t* algo, void* workspace, size_t workspaceSizeInBytes,
                              cudaStream_t stream) {
    const Call call(__func__, __builtin_return_address(0));
    const cublasStatus_t status = simt::check(call, lightHandle, computeDesc, Adesc, Bdesc, Cdesc, Ddesc);
    if (status != CUBLAS_STATUS_SUCCESS) return status;
    const auto invalid = [&](const std::string& why) {
        return refuse(call, CUBLAS_STATUS_INVALID_VALUE, why);
    };
    if (alpha == nullptr || beta == nullptr) return invalid("alpha or beta is null");
    if (computeDesc->pointers != CUBLAS_POINTER_MODE_HOST)
        return refuse(call, CUBLAS_STATUS_NOT_SUPPORTED, "alpha and beta in device memory are not here");
    if (algo != nullptr && workspaceSizeInBytes < algo->data[0])
        return invalid("a workspace of " + std::to_string(workspaceSizeInBytes) +
                       " bytes, but the algorithm wants " + std::to_string(algo->data[0]));
    const struct {
        const char* name;
        const void* data;
        size_t bytes;
    } operands[] = {
        {"A", A, simt::bytes(*Adesc)},
        {"B", B, simt::bytes(*Bdesc)},
        {"C", C, *static_cast<const float*>(beta) == 0 ? 0 : simt::bytes(*Cdesc)},
        {"D", D, simt::bytes(*Ddesc)},
        {"the workspace", workspace, workspaceSizeInBytes},
        {"the bias", computeDesc->bias,
         simt::has_bias(*computeDesc) ? static_cast<size_t>(Ddesc->rows) * simt::size_of(CUDA_R_16F) : 0}};
    for (const auto& operand : operands)
        if (const std::string complaint =
                operand.bytes == 0 ? "" : simt::complaint_about(operand.data, operand.bytes);
            !complaint.empty())
            return invalid(operand.name + (" " + complaint));
    CUstream_st* found = simt::stream_of(stream);
    if (found == nullptr) return invalid("the stream does not exist");
    simt::Matmul t{*computeDesc,
                   *Adesc,
                   *Bdesc,
                   *Cdesc,
                   *Ddesc,
                   A,
                   B,
                   C,
                   D,
                   *static_cast<const float*>(alpha),
                   *static_cast<const float*>(beta)};
    if (!t.desc.bias_typed) t.desc.bias_type = t.ld.type;  // the bias has D's type unless told otherwise
    const auto work = [t, name = call.name(), site = call.site()] { return simt::run(t, name, site); };
    return simt::enqueue(found, {cudaGraphNodeTypeKernel, call.name(), work, false, call.site()}) ==
                   cudaSuccess
               ? CUBLAS_STATUS_SUCCESS
               : CUBLAS_STATUS_EXECUTION_FAILED;
}

}  // namespace simt_cuda
