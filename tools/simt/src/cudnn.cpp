// SPDX-License-Identifier: MIT
#include "dnn.h"

#include <set>

#include "stream.h"

namespace simt {
namespace {

std::set<cudnnHandle_t>& handles() {
    static auto* const living = new std::set<cudnnHandle_t>;
    return *living;
}

bool type_of(cudnnDataType_t type, cudaDataType& result) {
    result = type == CUDNN_DATA_FLOAT ? CUDA_R_32F : (type == CUDNN_DATA_HALF ? CUDA_R_16F : CUDA_R_16BF);
    return type == CUDNN_DATA_FLOAT || type == CUDNN_DATA_HALF || type == CUDNN_DATA_BFLOAT16;
}

// NCHW or NHWC without gaps
void pack(Layout& layout, cudnnTensorFormat_t format) {
    const auto& size = layout.size;
    const int64_t plain[4] = {size[1] * size[2] * size[3], size[2] * size[3], size[3], 1};
    const int64_t last[4] = {plain[0], 1, size[3] * size[1], size[1]};
    for (int i = 0; i < 4; ++i) layout.stride[i] = format == CUDNN_TENSOR_NCHW ? plain[i] : last[i];
}

cudnnStatus_t set_sizes(const Call& call, Layout& layout, cudnnDataType_t type, int a, int b, int c, int d) {
    if (a <= 0 || b <= 0 || c <= 0 || d <= 0) return refuse(call, CUDNN_STATUS_BAD_PARAM, "a size below 1");
    if (!type_of(type, layout.type))
        return refuse(call, CUDNN_STATUS_NOT_SUPPORTED, "only f32, half and bf16 are here");
    const int64_t sizes[4] = {a, b, c, d};
    for (int i = 0; i < 4; ++i) layout.size[i] = sizes[i];
    return CUDNN_STATUS_SUCCESS;
}

template <class T>
cudnnStatus_t create(T** descriptor) {
    if (descriptor == nullptr) return CUDNN_STATUS_BAD_PARAM;
    *descriptor = new T;
    return CUDNN_STATUS_SUCCESS;
}

}  // namespace

bool is_cudnn_handle(cudnnHandle_t handle) { return handles().contains(handle); }

cudnnStatus_t refuse(const Call& call, cudnnStatus_t status, const std::string& why) {
    call.mistake(FaultKind::library, cudaErrorInvalidValue, why);
    return status;
}

}  // namespace simt

inline namespace simt_cuda {

using simt::Call;
using simt::refuse;

size_t cudnnGetVersion() {
    simt::count_call(__func__);
    return CUDNN_VERSION;
}

const char* cudnnGetErrorString(cudnnStatus_t status) {
    simt::count_call(__func__);
    switch (status) {
        case CUDNN_STATUS_SUCCESS:
            return "CUDNN_STATUS_SUCCESS";
        case CUDNN_STATUS_NOT_INITIALIZED:
            return "CUDNN_STATUS_NOT_INITIALIZED";
        case CUDNN_STATUS_BAD_PARAM:
            return "CUDNN_STATUS_BAD_PARAM";
        case CUDNN_STATUS_NOT_SUPPORTED:
            return "CUDNN_STATUS_NOT_SUPPORTED";
        case CUDNN_STATUS_INTERNAL_ERROR:
            return "CUDNN_STATUS_INTERNAL_ERROR";
        case CUDNN_STATUS_EXECUTION_FAILED:
            return "CUDNN_STATUS_EXECUTION_FAILED";
    }
    return "an unknown cudnnStatus_t";
}

cudnnStatus_t cudnnCreate(cudnnHandle_t* handle) {
    const Call call(__func__, __builtin_return_address(0));
    if (handle == nullptr) return CUDNN_STATUS_BAD_PARAM;
    simt::handles().insert(*handle = new cudnnContext);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnDestroy(cudnnHandle_t handle) {
    const Call call(__func__, __builtin_return_address(0));
    if (simt::handles().erase(handle) == 0)
        return refuse(call, CUDNN_STATUS_NOT_INITIALIZED, "the handle does not exist");
    delete handle;
    simt::drain_all();
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetStream(cudnnHandle_t handle, cudaStream_t streamId) {
    const Call call(__func__, __builtin_return_address(0));
    if (!simt::is_cudnn_handle(handle))
        return refuse(call, CUDNN_STATUS_NOT_INITIALIZED, "the handle does not exist");
    handle->stream = streamId;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnGetStream(cudnnHandle_t handle, cudaStream_t* streamId) {
    const Call call(__func__, __builtin_return_address(0));
    if (!simt::is_cudnn_handle(handle))
        return refuse(call, CUDNN_STATUS_NOT_INITIALIZED, "the handle does not exist");
    *streamId = handle->stream;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnCreateTensorDescriptor(cudnnTensorDescriptor_t* tensorDesc) {
    simt::count_call(__func__);
    return simt::create(tensorDesc);
}
cudnnStatus_t cudnnCreateFilterDescriptor(cudnnFilterDescriptor_t* filterDesc) {
    simt::count_call(__func__);
    return simt::create(filterDesc);
}
cudnnStatus_t cudnnCreateConvolutionDescriptor(cudnnConvolutionDescriptor_t* convDesc) {
    simt::count_call(__func__);
    return simt::create(convDesc);
}
cudnnStatus_t cudnnCreateActivationDescriptor(cudnnActivationDescriptor_t* activationDesc) {
    simt::count_call(__func__);
    return simt::create(activationDesc);
}
cudnnStatus_t cudnnDestroyTensorDescriptor(cudnnTensorDescriptor_t tensorDesc) {
    simt::count_call(__func__);
    delete tensorDesc;
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyFilterDescriptor(cudnnFilterDescriptor_t filterDesc) {
    simt::count_call(__func__);
    delete filterDesc;
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyConvolutionDescriptor(cudnnConvolutionDescriptor_t convDesc) {
    simt::count_call(__func__);
    delete convDesc;
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t cudnnDestroyActivationDescriptor(cudnnActivationDescriptor_t activationDesc) {
    simt::count_call(__func__);
    delete activationDesc;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetTensor4dDescriptor(cudnnTensorDescriptor_t tensorDesc, cudnnTensorFormat_t format,
                                         cudnnDataType_t dataType, int n, int c, int h, int w) {
    const Call call(__func__, __builtin_return_address(0));
    if (tensorDesc == nullptr) return refuse(call, CUDNN_STATUS_BAD_PARAM, "no descriptor");
    const cudnnStatus_t status = simt::set_sizes(call, tensorDesc->layout, dataType, n, c, h, w);
    if (status == CUDNN_STATUS_SUCCESS) simt::pack(tensorDesc->layout, format);
    tensorDesc->set = status == CUDNN_STATUS_SUCCESS;
    return status;
}

cudnnStatus_t cudnnSetTensor4dDescriptorEx(cudnnTensorDescriptor_t tensorDesc, cudnnDataType_t dataType,
                                           int n, int c, int h, int w, int nStride, int cStride, int hStride,
                                           int wStride) {
    const Call call(__func__, __builtin_return_address(0));
    if (tensorDesc == nullptr) return refuse(call, CUDNN_STATUS_BAD_PARAM, "no descriptor");
    if (nStride <= 0 || cStride <= 0 || hStride <= 0 || wStride <= 0)
        return refuse(call, CUDNN_STATUS_BAD_PARAM, "a stride below 1");
    const cudnnStatus_t status = simt::set_sizes(call, tensorDesc->layout, dataType, n, c, h, w);
    const int strides[4] = {nStride, cStride, hStride, wStride};
    for (int i = 0; i < 4; ++i) tensorDesc->layout.stride[i] = strides[i];
    tensorDesc->set = status == CUDNN_STATUS_SUCCESS;
    return status;
}

cudnnStatus_t cudnnSetFilter4dDescriptor(cudnnFilterDescriptor_t filterDesc, cudnnDataType_t dataType,
                                         cudnnTensorFormat_t format, int k, int c, int h, int w) {
    const Call call(__func__, __builtin_return_address(0));
    if (filterDesc == nullptr) return refuse(call, CUDNN_STATUS_BAD_PARAM, "no descriptor");
    const cudnnStatus_t status = simt::set_sizes(call, filterDesc->layout, dataType, k, c, h, w);
    if (status == CUDNN_STATUS_SUCCESS) simt::pack(filterDesc->layout, format);
    filterDesc->set = status == CUDNN_STATUS_SUCCESS;
    return status;
}

cudnnStatus_t cudnnSetConvolution2dDescriptor(cudnnConvolutionDescriptor_t convDesc, int pad_h, int pad_w,
                                              int u, int v, int dilation_h, int dilation_w,
                                              cudnnConvolutionMode_t mode, cudnnDataType_t computeType) {
    const Call call(__func__, __builtin_return_address(0));
    if (convDesc == nullptr) return refuse(call, CUDNN_STATUS_BAD_PARAM, "no descriptor");
    if (pad_h < 0 || pad_w < 0) return refuse(call, CUDNN_STATUS_BAD_PARAM, "a negative padding");
    if (u <= 0 || v <= 0 || dilation_h <= 0 || dilation_w <= 0)
        return refuse(call, CUDNN_STATUS_BAD_PARAM, "a stride or dilation below 1");
    if (computeType != CUDNN_DATA_FLOAT)
        return refuse(call, CUDNN_STATUS_NOT_SUPPORTED, "sums of other types than f32 are not here");
    simt::Convolution& c = convDesc->convolution;
    c.pad[0] = pad_h, c.pad[1] = pad_w, c.step[0] = u, c.step[1] = v;
    c.dilation[0] = dilation_h, c.dilation[1] = dilation_w;
    c.flipped = mode == CUDNN_CONVOLUTION;
    convDesc->set = true;
    return CUDNN_STATUS_SUCCESS;
}

// The default allows TF32 since Ampere; only FMA does not.
cudnnStatus_t cudnnSetConvolutionMathType(cudnnConvolutionDescriptor_t convDesc, cudnnMathType_t mathType) {
    const Call call(__func__, __builtin_return_address(0));
    if (convDesc == nullptr) return refuse(call, CUDNN_STATUS_BAD_PARAM, "no descriptor");
    convDesc->math = mathType;
    convDesc->convolution.rounding = mathType == CUDNN_FMA_MATH ? simt::Rounding::none : simt::Rounding::tf32;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetConvolutionGroupCount(cudnnConvolutionDescriptor_t convDesc, int groupCount) {
    const Call call(__func__, __builtin_return_address(0));
    if (convDesc == nullptr || groupCount < 1)
        return refuse(call, CUDNN_STATUS_BAD_PARAM, "no descriptor, or no group");
    convDesc->convolution.groups = groupCount;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t cudnnSetActivationDescriptor(cudnnActivationDescriptor_t activationDesc,
                                           cudnnActivationMode_t mode, cudnnNanPropagation_t reluNanOpt,
                                           double) {
    const Call call(__func__, __builtin_return_address(0));
    if (activationDesc == nullptr) return refuse(call, CUDNN_STATUS_BAD_PARAM, "no descriptor");
    activationDesc->mode = mode;
    activationDesc->nan = reluNanOpt;
    activationDesc->set = true;
    return CUDNN_STATUS_SUCCESS;
}

}  // namespace simt_cuda
