// SPDX-License-Identifier: MIT
// cuDNN's convolutions: descriptors that have to agree, algorithms that have to fit and their workspaces,
// late execution.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "arena.h"
#include "dnn.h"
#include "stream.h"

namespace simt {
namespace {

enum class Pass { forward, data, filter };

// The four descriptors of a convolution, by role: x and dx, w and dw, y and dy.
struct Problem {
    Pass pass;
    cudnnHandle_t handle;
    const cudnnTensorStruct* x;
    const cudnnFilterStruct* w;
    const cudnnConvolutionStruct* conv;
    const cudnnTensorStruct* y;
};

int64_t output_size(const Problem& p, int axis) {
    const Convolution& c = p.conv->convolution;
    const int64_t filter = (p.w->layout.size[2 + axis] - 1) * c.dilation[axis] + 1;
    const int64_t room = p.x->layout.size[2 + axis] + 2 * c.pad[axis] - filter;
    return room < 0 ? 0 : room / c.step[axis] + 1;
}

std::string sizes(const Layout& l) {
    std::string text = "(";
    for (int i = 0; i < 4; ++i) text += (i > 0 ? "," : "") + std::to_string(l.size[i]);
    return text + ")";
}

cudnnStatus_t check(const Call& call, const Problem& p) {
    const auto bad = [&](const std::string& why) { return refuse(call, CUDNN_STATUS_BAD_PARAM, why); };
    if (!is_cudnn_handle(p.handle))
        return refuse(call, CUDNN_STATUS_NOT_INITIALIZED, "the handle does not exist");
    if (sticky_error() != cudaSuccess) return CUDNN_STATUS_EXECUTION_FAILED;
    if (p.x == nullptr || p.w == nullptr || p.conv == nullptr || p.y == nullptr)
        return bad("a descriptor is null");
    if (!p.x->set || !p.w->set || !p.conv->set || !p.y->set) return bad("a descriptor was never set");
    const Layout &x = p.x->layout, &w = p.w->layout, &y = p.y->layout;
    const int64_t groups = p.conv->convolution.groups;
    if (x.type != w.type || x.type != y.type) return bad("the types of x, w and y differ");
    if (x.size[1] != w.size[1] * groups || w.size[0] % groups != 0)
        return bad("x is " + sizes(x) + " and w is " + sizes(w) + ", in " + std::to_string(groups) +
                   " groups: channels differ");
    if (y.size[0] != x.size[0] || y.size[1] != w.size[0] || y.size[2] != output_size(p, 0) ||
        y.size[3] != output_size(p, 1))
        return bad("y is " + sizes(y) + ", but x " + sizes(x) + " and w " + sizes(w) + " make (" +
                   std::to_string(x.size[0]) + "," + std::to_string(w.size[0]) + "," +
                   std::to_string(output_size(p, 0)) + "," + std::to_string(output_size(p, 1)) + ")");
    return CUDNN_STATUS_SUCCESS;
}

// What the algorithms of a pass are, in the order of their numbers.
enum class Kind { implicit, precomputed, gemm, fft, winograd, winograd_nonfused, none };
Kind kind(Pass pass, int algorithm) {
    constexpr Kind forward[] = {Kind::implicit, Kind::precomputed, Kind::gemm,     Kind::none,
                                Kind::fft,      Kind::fft,         Kind::winograd, Kind::winograd_nonfused};
    constexpr Kind data[] = {Kind::implicit, Kind::precomputed, Kind::fft,
                             Kind::fft,      Kind::winograd,    Kind::winograd_nonfused};
    constexpr Kind filter[] = {Kind::implicit, Kind::precomputed,       Kind::fft, Kind::precomputed,
                               Kind::none,     Kind::winograd_nonfused, Kind::fft};
    if (pass == Pass::forward) return algorithm >= 0 && algorithm < 8 ? forward[algorithm] : Kind::none;
    if (pass == Pass::data) return algorithm >= 0 && algorithm < 6 ? data[algorithm] : Kind::none;
    return algorithm >= 0 && algorithm < 7 ? filter[algorithm] : Kind::none;
}
int algorithms(Pass pass) { return pass == Pass::forward ? 8 : (pass == Pass::data ? 6 : 7); }

// Does the algorithm fit, and how much workspace does it want? Real ones want other amounts; a caller has to
// ask.
bool fits(const Problem& p, int algorithm, size_t& workspace) {
    const Layout &w = p.w->layout, &y = p.y->layout;
    const Convolution& c = p.conv->convolution;
    const bool unit = c.step[0] == 1 && c.step[1] == 1 && c.dilation[0] == 1 && c.dilation[1] == 1;
    const auto patch = static_cast<size_t>(w.size[1] * w.size[2] * w.size[3]);
    switch (kind(p.pass, algorithm)) {
        case Kind::implicit:
            workspace = 0;
            return true;
        case Kind::precomputed:
            workspace = (patch * 4 + 1023) / 256 * 256;
            return true;
        case Kind::gemm:
            workspace = patch * static_cast<size_t>(y.size[2] * y.size[3]) * 4;
            return c.groups == 1;
        case Kind::winograd:
            workspace = 0;
            return unit && w.size[2] == 3 && w.size[3] == 3 && c.groups == 1;
        case Kind::winograd_nonfused:
            workspace = static_cast<size_t>(w.size[0] * w.size[1]) * 36 * 4 +
                        static_cast<size_t>(y.size[1] * y.size[0]) * 1024;
            if (p.conv->math == CUDNN_TENSOR_OP_MATH) workspace /= 2;
            return unit && w.size[2] == w.size[3] && (w.size[2] == 3 || w.size[2] == 5) && c.groups == 1;
        default:
            return false;
    }
}

cudnnStatus_t check_algorithm(const Call& call, const Problem& p, int algorithm, const void* workspace,
                              size_t bytes) {
    size_t needed = 0;
    if (!fits(p, algorithm, needed))
        return refuse(call, CUDNN_STATUS_NOT_SUPPORTED,
                      "the algorithm " + std::to_string(algorithm) + " does not fit");
    if (bytes < needed)
        return refuse(call, CUDNN_STATUS_BAD_PARAM,
                      "a workspace of " + std::to_string(bytes) + " bytes, but the algorithm wants " +
                          std::to_string(needed));
    if (const std::string complaint = bytes == 0 ? "" : complaint_about(workspace, bytes); !complaint.empty())
        return refuse(call, CUDNN_STATUS_BAD_PARAM, "the workspace " + complaint);
    return CUDNN_STATUS_SUCCESS;
}

struct Operand {
    const char* name;
    const Layout* layout;
    const void* data;
};
cudnnStatus_t check_operands(const Call& call, std::initializer_list<Operand> operands) {
    for (const Operand& o : operands)
        if (const std::string complaint = complaint_about(o.data, o.layout->bytes()); !complaint.empty())
            return refuse(call, CUDNN_STATUS_BAD_PARAM, o.name + (" " + complaint));
    return CUDNN_STATUS_SUCCESS;
}

// When it runs. A layout with gaps may have unwritten bytes in them, so only its first element is looked at.
cudaError_t read(const char* name, const void* site, const char* what, const Layout& l, const void* data) {
    const bool packed = l.bytes() == static_cast<size_t>(l.elements()) * size_of(l.type);
    return check_read(name, site, what, data, packed ? l.bytes() : size_of(l.type));
}

// Puts the work into the stream: `compute` gives the values, which go to `result` as alpha values + beta
// result.
template <class Compute>
cudnnStatus_t submit(const Call& call, const Problem& p, Operand a, Operand b, Operand result,
                     const void* alpha, const void* beta, void* workspace, size_t workspace_bytes,
                     Compute compute) {
    CUstream_st* stream = stream_of(p.handle->stream);
    if (stream == nullptr) return refuse(call, CUDNN_STATUS_BAD_PARAM, "the stream does not exist");
    if (alpha == nullptr || beta == nullptr)
        return refuse(call, CUDNN_STATUS_BAD_PARAM, "alpha or beta is null");
    const float scale = *static_cast<const float*>(alpha), keep = *static_cast<const float*>(beta);
    const Layout la = *a.layout, lb = *b.layout, lr = *result.layout;
    const auto run = [=, name = call.name(), site = call.site()] {
        const Call again(name, site, true);
        cudaError_t error = read(name, site, a.name, la, a.data);
        if (error == cudaSuccess) error = read(name, site, b.name, lb, b.data);
        if (error == cudaSuccess && keep != 0) error = read(name, site, result.name, lr, result.data);
        if (error == cudaSuccess && workspace_bytes > 0)
            error = check_read(name, site, "the workspace", workspace, 0);
        if (error != cudaSuccess) return error;
        if (workspace_bytes > 0) std::memset(workspace, 0xff, workspace_bytes);
        scatter(lr, compute(la, lb, lr), scale, keep, const_cast<void*>(result.data));
        written(const_cast<void*>(result.data), lr.bytes());
        return cudaSuccess;
    };
    return enqueue(stream, {cudaGraphNodeTypeKernel, call.name(), run, false, call.site()}) == cudaSuccess
               ? CUDNN_STATUS_SUCCESS
               : CUDNN_STATUS_EXECUTION_FAILED;
}

// The algorithms, those that fit first; `measured`: as if they had been tried, which leaves nothing good in
// the result.
template <class Algorithm>
cudnnStatus_t list(const Call& call, const Problem& p, int requested, int* returned,
                   simt_algorithm_performance<Algorithm>* results, bool measured, size_t most = SIZE_MAX) {
    if (const cudnnStatus_t status = check(call, p); status != CUDNN_STATUS_SUCCESS) return status;
    if (requested < 1 || returned == nullptr || results == nullptr)
        return refuse(call, CUDNN_STATUS_BAD_PARAM, "no room for the results");
    if (measured) {
        if (forbidden_by_capture())
            return refuse(call, CUDNN_STATUS_NOT_SUPPORTED, "a stream is being captured");
        if (drain(stream_of(p.handle->stream)) != cudaSuccess) return CUDNN_STATUS_EXECUTION_FAILED;
    }
    std::vector<simt_algorithm_performance<Algorithm>> all;
    for (int i = 0; i < algorithms(p.pass); ++i) {
        size_t memory = 0;
        const bool fit = fits(p, i, memory) && memory <= most;
        const float time =
            fit && measured ? 1.0f / static_cast<float>(1 + static_cast<int>(kind(p.pass, i))) : -1.0f;
        // As real ones do, some are listed as they are in another math type than the descriptor's.
        const bool other = kind(p.pass, i) == Kind::winograd_nonfused && p.conv->math != CUDNN_TENSOR_OP_MATH;
        all.push_back({static_cast<Algorithm>(i),
                       fit ? CUDNN_STATUS_SUCCESS : CUDNN_STATUS_NOT_SUPPORTED,
                       time,
                       other ? memory / 2 : memory,
                       CUDNN_DETERMINISTIC,
                       other ? CUDNN_TENSOR_OP_MATH : p.conv->math,
                       {}});
    }
    std::stable_sort(all.begin(), all.end(), [&](const auto& a, const auto& b) {
        const bool x = a.status == CUDNN_STATUS_SUCCESS, y = b.status == CUDNN_STATUS_SUCCESS;
        return x != y ? x : (x && kind(p.pass, a.algo) > kind(p.pass, b.algo));
    });
    *returned = std::min(requested, static_cast<int>(all.size()));
    std::copy_n(all.begin(), *returned, results);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t workspace_size(const Call& call, const Problem& p, int algorithm, size_t* bytes) {
    if (const cudnnStatus_t status = check(call, p); status != CUDNN_STATUS_SUCCESS) return status;
    return fits(p, algorithm, *bytes)
               ? CUDNN_STATUS_SUCCESS
               : refuse(call, CUDNN_STATUS_NOT_SUPPORTED,
                        "the algorithm " + std::to_string(algorithm) + " does not fit");
}

#define RETURN_UNLESS_SUCCESS(status) \
    if (const cudnnStatus_t s = (status); s != CUDNN_STATUS_SUCCESS) return s

}  // namespace
}  // namespace simt

inline namespace simt_cuda {

using simt::Call;
using simt::Layout;
using simt::Pass;
using simt::refuse;

cudnnStatus_t cudnnGetConvolution2dForwardOutputDim(const cudnnConvolutionDescriptor_t convDesc,
                                                    const cudnnTensorDescriptor_t inputTensorDesc,
                                                    const cudnnFilterDescriptor_t filterDesc, int* n, int* c,
                                                    int* h, int* w) {
    const Call call(__func__, __builtin_return_address(0));
    if (convDesc == nullptr || inputTensorDesc == nullptr || filterDesc == nullptr || !convDesc->set ||
        !inputTensorDesc->set || !filterDesc->set)
        return refuse(call, CUDNN_STATUS_BAD_PARAM, "a descriptor is null or was never set");
    const simt::Problem p{Pass::forward, nullptr, inputTensorDesc, filterDesc, convDesc, nullptr};
    *n = static_cast<int>(inputTensorDesc->layout.size[0]);
    *c = static_cast<int>(filterDesc->layout.size[0]);
    *h = static_cast<int>(simt::output_size(p, 0));
    *w = static_cast<int>(simt::output_size(p, 1));
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionForwardAlgorithm_v7(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t srcDesc, const cudnnFilterDescriptor_t filterDesc,
    const cudnnConvolutionDescriptor_t convDesc, const cudnnTensorDescriptor_t destDesc,
    const int requestedAlgoCount, int* returnedAlgoCount, cudnnConvolutionFwdAlgoPerf_t* perfResults) {
    const Call call(__func__, __builtin_return_address(0));
    return simt::list(call, {Pass::forward, handle, srcDesc, filterDesc, convDesc, destDesc},
                      requestedAlgoCount, returnedAlgoCount, perfResults, false);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataAlgorithm_v7(
    cudnnHandle_t handle, const cudnnFilterDescriptor_t filterDesc, const cudnnTensorDescriptor_t diffDesc,
    const cudnnConvolutionDescriptor_t convDesc, const cudnnTensorDescriptor_t gradDesc,
    const int requestedAlgoCount, int* returnedAlgoCount, cudnnConvolutionBwdDataAlgoPerf_t* perfResults) {
    const Call call(__func__, __builtin_return_address(0));
    return simt::list(call, {Pass::data, handle, gradDesc, filterDesc, convDesc, diffDesc},
                      requestedAlgoCount, returnedAlgoCount, perfResults, false);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterAlgorithm_v7(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t srcDesc, const cudnnTensorDescriptor_t diffDesc,
    const cudnnConvolutionDescriptor_t convDesc, const cudnnFilterDescriptor_t gradDesc,
    const int requestedAlgoCount, int* returnedAlgoCount, cudnnConvolutionBwdFilterAlgoPerf_t* perfResults) {
    const Call call(__func__, __builtin_return_address(0));
    return simt::list(call, {Pass::filter, handle, srcDesc, gradDesc, convDesc, diffDesc}, requestedAlgoCount,
                      returnedAlgoCount, perfResults, false);
}

cudnnStatus_t cudnnFindConvolutionForwardAlgorithmEx(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t xDesc, const void*,
    const cudnnFilterDescriptor_t wDesc, const void*, const cudnnConvolutionDescriptor_t convDesc,
    const cudnnTensorDescriptor_t yDesc, void* y, const int requestedAlgoCount, int* returnedAlgoCount,
    cudnnConvolutionFwdAlgoPerf_t* perfResults, void*, size_t workSpaceSizeInBytes) {
    const Call call(__func__, __builtin_return_address(0));
    RETURN_UNLESS_SUCCESS(simt::list(call, {Pass::forward, handle, xDesc, wDesc, convDesc, yDesc},
                                     requestedAlgoCount, returnedAlgoCount, perfResults, true,
                                     workSpaceSizeInBytes));
    RETURN_UNLESS_SUCCESS(simt::check_operands(call, {{"y", &yDesc->layout, y}}));
    std::memset(y, 0xff, yDesc->layout.bytes());
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnFindConvolutionBackwardDataAlgorithmEx(
    cudnnHandle_t handle, const cudnnFilterDescriptor_t wDesc, const void*,
    const cudnnTensorDescriptor_t dyDesc, const void*, const cudnnConvolutionDescriptor_t convDesc,
    const cudnnTensorDescriptor_t dxDesc, void* dx, const int requestedAlgoCount, int* returnedAlgoCount,
    cudnnConvolutionBwdDataAlgoPerf_t* perfResults, void*, size_t workSpaceSizeInBytes) {
    const Call call(__func__, __builtin_return_address(0));
    RETURN_UNLESS_SUCCESS(simt::list(call, {Pass::data, handle, dxDesc, wDesc, convDesc, dyDesc},
                                     requestedAlgoCount, returnedAlgoCount, perfResults, true,
                                     workSpaceSizeInBytes));
    RETURN_UNLESS_SUCCESS(simt::check_operands(call, {{"dx", &dxDesc->layout, dx}}));
    std::memset(dx, 0xff, dxDesc->layout.bytes());
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnFindConvolutionBackwardFilterAlgorithmEx(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t xDesc, const void*,
    const cudnnTensorDescriptor_t dyDesc, const void*, const cudnnConvolutionDescriptor_t convDesc,
    const cudnnFilterDescriptor_t dwDesc, void* dw, const int requestedAlgoCount, int* returnedAlgoCount,
    cudnnConvolutionBwdFilterAlgoPerf_t* perfResults, void*, size_t workSpaceSizeInBytes) {
    const Call call(__func__, __builtin_return_address(0));
    RETURN_UNLESS_SUCCESS(simt::list(call, {Pass::filter, handle, xDesc, dwDesc, convDesc, dyDesc},
                                     requestedAlgoCount, returnedAlgoCount, perfResults, true,
                                     workSpaceSizeInBytes));
    RETURN_UNLESS_SUCCESS(simt::check_operands(call, {{"dw", &dwDesc->layout, dw}}));
    std::memset(dw, 0xff, dwDesc->layout.bytes());
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetConvolutionForwardWorkspaceSize(cudnnHandle_t handle,
                                                      const cudnnTensorDescriptor_t xDesc,
                                                      const cudnnFilterDescriptor_t wDesc,
                                                      const cudnnConvolutionDescriptor_t convDesc,
                                                      const cudnnTensorDescriptor_t yDesc,
                                                      cudnnConvolutionFwdAlgo_t algo, size_t* sizeInBytes) {
    const Call call(__func__, __builtin_return_address(0));
    return simt::workspace_size(call, {Pass::forward, handle, xDesc, wDesc, convDesc, yDesc}, algo,
                                sizeInBytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardDataWorkspaceSize(
    cudnnHandle_t handle, const cudnnFilterDescriptor_t wDesc, const cudnnTensorDescriptor_t dyDesc,
    const cudnnConvolutionDescriptor_t convDesc, const cudnnTensorDescriptor_t dxDesc,
    cudnnConvolutionBwdDataAlgo_t algo, size_t* sizeInBytes) {
    const Call call(__func__, __builtin_return_address(0));
    return simt::workspace_size(call, {Pass::data, handle, dxDesc, wDesc, convDesc, dyDesc}, algo,
                                sizeInBytes);
}

cudnnStatus_t cudnnGetConvolutionBackwardFilterWorkspaceSize(
    cudnnHandle_t handle, const cudnnTensorDescriptor_t xDesc, const cudnnTensorDescriptor_t dyDesc,
    const cudnnConvolutionDescriptor_t convDesc, const cudnnFilterDescriptor_t gradDesc,
    cudnnConvolutionBwdFilterAlgo_t algo, size_t* sizeInBytes) {
    const Call call(__func__, __builtin_return_address(0));
    return simt::workspace_size(call, {Pass::filter, handle, xDesc, gradDesc, convDesc, dyDesc}, algo,
                                sizeInBytes);
}

cudnnStatus_t cudnnConvolutionForward(cudnnHandle_t handle, const void* alpha,
                                      const cudnnTensorDescriptor_t xDesc, const void* x,
                                      const cudnnFilterDescriptor_t wDesc, const void* w,
                                      const cudnnConvolutionDescriptor_t convDesc,
                                      cudnnConvolutionFwdAlgo_t algo, void* workSpace,
                                      size_t workSpaceSizeInBytes, const void* beta,
                                      const cudnnTensorDescriptor_t yDesc, void* y) {
    const Call call(__func__, __builtin_return_address(0));
    const simt::Problem p{Pass::forward, handle, xDesc, wDesc, convDesc, yDesc};
    RETURN_UNLESS_SUCCESS(simt::check(call, p));
    RETURN_UNLESS_SUCCESS(simt::check_algorithm(call, p, algo, workSpace, workSpaceSizeInBytes));
    const simt::Operand a{"x", &xDesc->layout, x}, b{"w", &wDesc->layout, w}, result{"y", &yDesc->layout, y};
    RETURN_UNLESS_SUCCESS(simt::check_operands(call, {a, b, result}));
    return simt::submit(
        call, p, a, b, result, alpha, beta, workSpace, workSpaceSizeInBytes,
        [x, w, conv = convDesc->convolution](const Layout& lx, const Layout& lw, const Layout& ly) {
            return simt::convolve(conv, lx, x, lw, w, ly);
        });
}

cudnnStatus_t cudnnConvolutionBackwardData(cudnnHandle_t handle, const void* alpha,
                                           const cudnnFilterDescriptor_t wDesc, const void* w,
                                           const cudnnTensorDescriptor_t dyDesc, const void* dy,
                                           const cudnnConvolutionDescriptor_t convDesc,
                                           cudnnConvolutionBwdDataAlgo_t algo, void* workSpace,
                                           size_t workSpaceSizeInBytes, const void* beta,
                                           const cudnnTensorDescriptor_t dxDesc, void* dx) {
    const Call call(__func__, __builtin_return_address(0));
    const simt::Problem p{Pass::data, handle, dxDesc, wDesc, convDesc, dyDesc};
    RETURN_UNLESS_SUCCESS(simt::check(call, p));
    RETURN_UNLESS_SUCCESS(simt::check_algorithm(call, p, algo, workSpace, workSpaceSizeInBytes));
    const simt::Operand a{"w", &wDesc->layout, w}, b{"dy", &dyDesc->layout, dy},
        result{"dx", &dxDesc->layout, dx};
    RETURN_UNLESS_SUCCESS(simt::check_operands(call, {a, b, result}));
    return simt::submit(
        call, p, a, b, result, alpha, beta, workSpace, workSpaceSizeInBytes,
        [w, dy, conv = convDesc->convolution](const Layout& lw, const Layout& ly, const Layout& lx) {
            return simt::convolve_data(conv, lw, w, ly, dy, lx);
        });
}

cudnnStatus_t cudnnConvolutionBackwardFilter(cudnnHandle_t handle, const void* alpha,
                                             const cudnnTensorDescriptor_t xDesc, const void* x,
                                             const cudnnTensorDescriptor_t dyDesc, const void* dy,
                                             const cudnnConvolutionDescriptor_t convDesc,
                                             cudnnConvolutionBwdFilterAlgo_t algo, void* workSpace,
                                             size_t workSpaceSizeInBytes, const void* beta,
                                             const cudnnFilterDescriptor_t dwDesc, void* dw) {
    const Call call(__func__, __builtin_return_address(0));
    const simt::Problem p{Pass::filter, handle, xDesc, dwDesc, convDesc, dyDesc};
    RETURN_UNLESS_SUCCESS(simt::check(call, p));
    RETURN_UNLESS_SUCCESS(simt::check_algorithm(call, p, algo, workSpace, workSpaceSizeInBytes));
    const simt::Operand a{"x", &xDesc->layout, x}, b{"dy", &dyDesc->layout, dy},
        result{"dw", &dwDesc->layout, dw};
    RETURN_UNLESS_SUCCESS(simt::check_operands(call, {a, b, result}));
    return simt::submit(
        call, p, a, b, result, alpha, beta, workSpace, workSpaceSizeInBytes,
        [x, dy, conv = convDesc->convolution](const Layout& lx, const Layout& ly, const Layout& lw) {
            return simt::convolve_filter(conv, lx, x, ly, dy, lw);
        });
}

// db[c] = Σ dy over all else
cudnnStatus_t cudnnConvolutionBackwardBias(cudnnHandle_t handle, const void* alpha,
                                           const cudnnTensorDescriptor_t dyDesc, const void* dy,
                                           const void* beta, const cudnnTensorDescriptor_t dbDesc, void* db) {
    const Call call(__func__, __builtin_return_address(0));
    if (!simt::is_cudnn_handle(handle))
        return refuse(call, CUDNN_STATUS_NOT_INITIALIZED, "the handle does not exist");
    if (dyDesc == nullptr || dbDesc == nullptr || !dyDesc->set || !dbDesc->set)
        return refuse(call, CUDNN_STATUS_BAD_PARAM, "a descriptor is null or was never set");
    const Layout& l = dbDesc->layout;
    if (l.size[0] != 1 || l.size[1] != dyDesc->layout.size[1] || l.size[2] != 1 || l.size[3] != 1)
        return refuse(call, CUDNN_STATUS_BAD_PARAM,
                      "db is " + simt::sizes(l) + ", but dy is " + simt::sizes(dyDesc->layout));
    const simt::Operand a{"dy", &dyDesc->layout, dy}, result{"db", &dbDesc->layout, db};
    RETURN_UNLESS_SUCCESS(simt::check_operands(call, {a, result}));
    const simt::Problem p{Pass::filter, handle, nullptr, nullptr, nullptr, dyDesc};
    return simt::submit(call, p, a, a, result, alpha, beta, nullptr, 0,
                        [dy](const Layout& ly, const Layout&, const Layout& lb) {
                            const auto slopes = simt::dense(ly, dy, simt::Rounding::none);
                            std::vector<float> sums(static_cast<size_t>(lb.size[1]));
                            const auto area = static_cast<size_t>(ly.size[2] * ly.size[3]);
                            for (size_t i = 0; i < slopes.size(); ++i)
                                sums[i / area % sums.size()] += slopes[i];
                            return sums;
                        });
}

// y = activation(alpha1 conv(x, w) + alpha2 z + bias)
cudnnStatus_t cudnnConvolutionBiasActivationForward(
    cudnnHandle_t handle, const void* alpha1, const cudnnTensorDescriptor_t xDesc, const void* x,
    const cudnnFilterDescriptor_t wDesc, const void* w, const cudnnConvolutionDescriptor_t convDesc,
    cudnnConvolutionFwdAlgo_t algo, void* workSpace, size_t workSpaceSizeInBytes, const void* alpha2,
    const cudnnTensorDescriptor_t zDesc, const void* z, const cudnnTensorDescriptor_t biasDesc,
    const void* bias, const cudnnActivationDescriptor_t activationDesc, const cudnnTensorDescriptor_t yDesc,
    void* y) {
    const Call call(__func__, __builtin_return_address(0));
    const simt::Problem p{Pass::forward, handle, xDesc, wDesc, convDesc, yDesc};
    RETURN_UNLESS_SUCCESS(simt::check(call, p));
    RETURN_UNLESS_SUCCESS(simt::check_algorithm(call, p, algo, workSpace, workSpaceSizeInBytes));
    if (zDesc == nullptr || biasDesc == nullptr || activationDesc == nullptr || !zDesc->set ||
        !biasDesc->set || !activationDesc->set || alpha1 == nullptr || alpha2 == nullptr)
        return refuse(call, CUDNN_STATUS_BAD_PARAM,
                      "a descriptor is null or was never set, or alpha is null");
    const Layout lz = zDesc->layout, lb = biasDesc->layout;
    if (lb.size[0] != 1 || lb.size[1] != yDesc->layout.size[1] || lb.size[2] != 1 || lb.size[3] != 1 ||
        lb.type != CUDA_R_32F)
        return refuse(call, CUDNN_STATUS_BAD_PARAM,
                      "the bias is " + simt::sizes(lb) + ", and has to be f32 (1,K,1,1)");
    if (!std::equal(lz.size, lz.size + 4, yDesc->layout.size))
        return refuse(call, CUDNN_STATUS_BAD_PARAM,
                      "z is " + simt::sizes(lz) + ", but y is " + simt::sizes(yDesc->layout));
    const bool relu = activationDesc->mode == CUDNN_ACTIVATION_RELU;
    if (!relu && activationDesc->mode != CUDNN_ACTIVATION_IDENTITY)
        return refuse(call, CUDNN_STATUS_NOT_SUPPORTED, "only ReLU and the identity can be fused");
    if (activationDesc->nan != CUDNN_NOT_PROPAGATE_NAN)
        return refuse(call, CUDNN_STATUS_NOT_SUPPORTED, "NaN cannot be propagated by a fused activation");
    if (!relu && algo != CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM)
        return refuse(call, CUDNN_STATUS_NOT_SUPPORTED, "the identity goes with IMPLICIT_PRECOMP_GEMM only");
    const simt::Operand a{"x", &xDesc->layout, x}, b{"w", &wDesc->layout, w}, result{"y", &yDesc->layout, y};
    RETURN_UNLESS_SUCCESS(simt::check_operands(call, {a, b, result, {"z", &lz, z}, {"the bias", &lb, bias}}));
    const float scale = *static_cast<const float*>(alpha1), add = *static_cast<const float*>(alpha2);
    static const float one = 1, zero = 0;
    return simt::submit(
        call, p, a, b, result, &one, &zero, workSpace, workSpaceSizeInBytes,
        [=, conv = convDesc->convolution](const Layout& lx, const Layout& lw, const Layout& ly) {
            auto values = simt::convolve(conv, lx, x, lw, w, ly);
            const auto biases = simt::dense(lb, bias, simt::Rounding::none);
            std::vector<float> more;
            if (add != 0) more = simt::dense(lz, z, simt::Rounding::none);
            const auto area = static_cast<size_t>(ly.size[2] * ly.size[3]);
            for (size_t i = 0; i < values.size(); ++i) {
                const float sum =
                    scale * values[i] + (add != 0 ? add * more[i] : 0) + biases[i / area % biases.size()];
                values[i] = relu && !(sum > 0) ? 0 : sum;  // NaN too
            }
            return values;
        });
}

}  // namespace simt_cuda
