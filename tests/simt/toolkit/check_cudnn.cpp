// SPDX-License-Identifier: MIT
// The same as check.cpp for cuDNN 9: against our header, and where cuDNN is installed against its own.
#if __has_include(<cudnn.h>)
#include <cudnn.h>

#include <type_traits>

namespace {

template <class Function>
constexpr bool has(Function*) {
    return true;
}

static_assert(has<size_t()>(cudnnGetVersion));
static_assert(has<const char*(cudnnStatus_t)>(cudnnGetErrorString));
static_assert(has<cudnnStatus_t(cudnnHandle_t*)>(cudnnCreate));
static_assert(has<cudnnStatus_t(cudnnHandle_t)>(cudnnDestroy));
static_assert(has<cudnnStatus_t(cudnnHandle_t, cudaStream_t)>(cudnnSetStream));
static_assert(has<cudnnStatus_t(cudnnHandle_t, cudaStream_t*)>(cudnnGetStream));
static_assert(has<cudnnStatus_t(cudnnTensorDescriptor_t*)>(cudnnCreateTensorDescriptor));
static_assert(has<cudnnStatus_t(cudnnTensorDescriptor_t, cudnnTensorFormat_t, cudnnDataType_t, int, int, int,
                                int)>(cudnnSetTensor4dDescriptor));
static_assert(has<cudnnStatus_t(cudnnTensorDescriptor_t, cudnnDataType_t, int, int, int, int, int, int, int,
                                int)>(cudnnSetTensor4dDescriptorEx));
static_assert(has<cudnnStatus_t(cudnnTensorDescriptor_t)>(cudnnDestroyTensorDescriptor));
static_assert(has<cudnnStatus_t(cudnnFilterDescriptor_t*)>(cudnnCreateFilterDescriptor));
static_assert(has<cudnnStatus_t(cudnnFilterDescriptor_t, cudnnDataType_t, cudnnTensorFormat_t, int, int, int,
                                int)>(cudnnSetFilter4dDescriptor));
static_assert(has<cudnnStatus_t(cudnnFilterDescriptor_t)>(cudnnDestroyFilterDescriptor));
static_assert(has<cudnnStatus_t(cudnnConvolutionDescriptor_t*)>(cudnnCreateConvolutionDescriptor));
static_assert(has<cudnnStatus_t(cudnnConvolutionDescriptor_t, int, int, int, int, int, int,
                                cudnnConvolutionMode_t, cudnnDataType_t)>(cudnnSetConvolution2dDescriptor));
static_assert(has<cudnnStatus_t(cudnnConvolutionDescriptor_t, cudnnMathType_t)>(cudnnSetConvolutionMathType));
static_assert(has<cudnnStatus_t(cudnnConvolutionDescriptor_t, int)>(cudnnSetConvolutionGroupCount));
static_assert(has<cudnnStatus_t(cudnnConvolutionDescriptor_t)>(cudnnDestroyConvolutionDescriptor));
static_assert(has<cudnnStatus_t(cudnnActivationDescriptor_t*)>(cudnnCreateActivationDescriptor));
static_assert(has<cudnnStatus_t(cudnnActivationDescriptor_t, cudnnActivationMode_t, cudnnNanPropagation_t,
                                double)>(cudnnSetActivationDescriptor));
static_assert(has<cudnnStatus_t(cudnnActivationDescriptor_t)>(cudnnDestroyActivationDescriptor));
static_assert(has<cudnnStatus_t(const cudnnConvolutionDescriptor_t, const cudnnTensorDescriptor_t,
                                const cudnnFilterDescriptor_t, int*, int*, int*, int*)>(
    cudnnGetConvolution2dForwardOutputDim));
static_assert(
    has<cudnnStatus_t(cudnnHandle_t, const cudnnTensorDescriptor_t, const cudnnFilterDescriptor_t,
                      const cudnnConvolutionDescriptor_t, const cudnnTensorDescriptor_t, const int, int*,
                      cudnnConvolutionFwdAlgoPerf_t*)>(cudnnGetConvolutionForwardAlgorithm_v7));
static_assert(
    has<cudnnStatus_t(cudnnHandle_t, const cudnnTensorDescriptor_t, const void*,
                      const cudnnFilterDescriptor_t, const void*, const cudnnConvolutionDescriptor_t,
                      const cudnnTensorDescriptor_t, void*, const int, int*, cudnnConvolutionFwdAlgoPerf_t*,
                      void*, size_t)>(cudnnFindConvolutionForwardAlgorithmEx));
static_assert(
    has<cudnnStatus_t(cudnnHandle_t, const cudnnTensorDescriptor_t, const cudnnFilterDescriptor_t,
                      const cudnnConvolutionDescriptor_t, const cudnnTensorDescriptor_t,
                      cudnnConvolutionFwdAlgo_t, size_t*)>(cudnnGetConvolutionForwardWorkspaceSize));
static_assert(has<cudnnStatus_t(cudnnHandle_t, const void*, const cudnnTensorDescriptor_t, const void*,
                                const cudnnFilterDescriptor_t, const void*,
                                const cudnnConvolutionDescriptor_t, cudnnConvolutionFwdAlgo_t, void*, size_t,
                                const void*, const cudnnTensorDescriptor_t, void*)>(cudnnConvolutionForward));
static_assert(
    has<cudnnStatus_t(cudnnHandle_t, const void*, const cudnnTensorDescriptor_t, const void*,
                      const cudnnFilterDescriptor_t, const void*, const cudnnConvolutionDescriptor_t,
                      cudnnConvolutionFwdAlgo_t, void*, size_t, const void*, const cudnnTensorDescriptor_t,
                      const void*, const cudnnTensorDescriptor_t, const void*,
                      const cudnnActivationDescriptor_t, const cudnnTensorDescriptor_t, void*)>(
        cudnnConvolutionBiasActivationForward));
static_assert(
    has<cudnnStatus_t(cudnnHandle_t, const cudnnFilterDescriptor_t, const cudnnTensorDescriptor_t,
                      const cudnnConvolutionDescriptor_t, const cudnnTensorDescriptor_t, const int, int*,
                      cudnnConvolutionBwdDataAlgoPerf_t*)>(cudnnGetConvolutionBackwardDataAlgorithm_v7));
static_assert(has<cudnnStatus_t(cudnnHandle_t, const cudnnFilterDescriptor_t, const void*,
                                const cudnnTensorDescriptor_t, const void*,
                                const cudnnConvolutionDescriptor_t, const cudnnTensorDescriptor_t, void*,
                                const int, int*, cudnnConvolutionBwdDataAlgoPerf_t*, void*, size_t)>(
    cudnnFindConvolutionBackwardDataAlgorithmEx));
static_assert(
    has<cudnnStatus_t(cudnnHandle_t, const cudnnFilterDescriptor_t, const cudnnTensorDescriptor_t,
                      const cudnnConvolutionDescriptor_t, const cudnnTensorDescriptor_t,
                      cudnnConvolutionBwdDataAlgo_t, size_t*)>(cudnnGetConvolutionBackwardDataWorkspaceSize));
static_assert(
    has<cudnnStatus_t(cudnnHandle_t, const void*, const cudnnFilterDescriptor_t, const void*,
                      const cudnnTensorDescriptor_t, const void*, const cudnnConvolutionDescriptor_t,
                      cudnnConvolutionBwdDataAlgo_t, void*, size_t, const void*,
                      const cudnnTensorDescriptor_t, void*)>(cudnnConvolutionBackwardData));
static_assert(
    has<cudnnStatus_t(cudnnHandle_t, const cudnnTensorDescriptor_t, const cudnnTensorDescriptor_t,
                      const cudnnConvolutionDescriptor_t, const cudnnFilterDescriptor_t, const int, int*,
                      cudnnConvolutionBwdFilterAlgoPerf_t*)>(cudnnGetConvolutionBackwardFilterAlgorithm_v7));
static_assert(has<cudnnStatus_t(cudnnHandle_t, const cudnnTensorDescriptor_t, const void*,
                                const cudnnTensorDescriptor_t, const void*,
                                const cudnnConvolutionDescriptor_t, const cudnnFilterDescriptor_t, void*,
                                const int, int*, cudnnConvolutionBwdFilterAlgoPerf_t*, void*, size_t)>(
    cudnnFindConvolutionBackwardFilterAlgorithmEx));
static_assert(has<cudnnStatus_t(cudnnHandle_t, const cudnnTensorDescriptor_t, const cudnnTensorDescriptor_t,
                                const cudnnConvolutionDescriptor_t, const cudnnFilterDescriptor_t,
                                cudnnConvolutionBwdFilterAlgo_t, size_t*)>(
    cudnnGetConvolutionBackwardFilterWorkspaceSize));
static_assert(
    has<cudnnStatus_t(cudnnHandle_t, const void*, const cudnnTensorDescriptor_t, const void*,
                      const cudnnTensorDescriptor_t, const void*, const cudnnConvolutionDescriptor_t,
                      cudnnConvolutionBwdFilterAlgo_t, void*, size_t, const void*,
                      const cudnnFilterDescriptor_t, void*)>(cudnnConvolutionBackwardFilter));
static_assert(
    has<cudnnStatus_t(cudnnHandle_t, const void*, const cudnnTensorDescriptor_t, const void*, const void*,
                      const cudnnTensorDescriptor_t, void*)>(cudnnConvolutionBackwardBias));

static_assert(CUDNN_STATUS_SUCCESS == 0);
static_assert(CUDNN_STATUS_NOT_INITIALIZED == 1001);
static_assert(CUDNN_STATUS_BAD_PARAM == 2000);
static_assert(CUDNN_STATUS_NOT_SUPPORTED == 3000);
static_assert(CUDNN_STATUS_INTERNAL_ERROR == 4000);
static_assert(CUDNN_STATUS_EXECUTION_FAILED == 5000);
static_assert(CUDNN_DATA_FLOAT == 0);
static_assert(CUDNN_DATA_DOUBLE == 1);
static_assert(CUDNN_DATA_HALF == 2);
static_assert(CUDNN_DATA_BFLOAT16 == 9);
static_assert(CUDNN_TENSOR_NCHW == 0);
static_assert(CUDNN_TENSOR_NHWC == 1);
static_assert(CUDNN_NOT_PROPAGATE_NAN == 0);
static_assert(CUDNN_PROPAGATE_NAN == 1);
static_assert(CUDNN_NON_DETERMINISTIC == 0);
static_assert(CUDNN_DETERMINISTIC == 1);
static_assert(CUDNN_DEFAULT_MATH == 0);
static_assert(CUDNN_TENSOR_OP_MATH == 1);
static_assert(CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION == 2);
static_assert(CUDNN_FMA_MATH == 3);
static_assert(CUDNN_CONVOLUTION == 0);
static_assert(CUDNN_CROSS_CORRELATION == 1);
static_assert(CUDNN_ACTIVATION_SIGMOID == 0);
static_assert(CUDNN_ACTIVATION_RELU == 1);
static_assert(CUDNN_ACTIVATION_TANH == 2);
static_assert(CUDNN_ACTIVATION_IDENTITY == 5);
static_assert(CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_GEMM == 0);
static_assert(CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM == 1);
static_assert(CUDNN_CONVOLUTION_FWD_ALGO_GEMM == 2);
static_assert(CUDNN_CONVOLUTION_FWD_ALGO_DIRECT == 3);
static_assert(CUDNN_CONVOLUTION_FWD_ALGO_FFT == 4);
static_assert(CUDNN_CONVOLUTION_FWD_ALGO_FFT_TILING == 5);
static_assert(CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD == 6);
static_assert(CUDNN_CONVOLUTION_FWD_ALGO_WINOGRAD_NONFUSED == 7);
static_assert(CUDNN_CONVOLUTION_FWD_ALGO_COUNT == 8);
static_assert(CUDNN_CONVOLUTION_BWD_DATA_ALGO_0 == 0);
static_assert(CUDNN_CONVOLUTION_BWD_DATA_ALGO_1 == 1);
static_assert(CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT == 2);
static_assert(CUDNN_CONVOLUTION_BWD_DATA_ALGO_FFT_TILING == 3);
static_assert(CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD == 4);
static_assert(CUDNN_CONVOLUTION_BWD_DATA_ALGO_WINOGRAD_NONFUSED == 5);
static_assert(CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT == 6);
static_assert(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_0 == 0);
static_assert(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1 == 1);
static_assert(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT == 2);
static_assert(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_3 == 3);
static_assert(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD == 4);
static_assert(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_WINOGRAD_NONFUSED == 5);
static_assert(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_FFT_TILING == 6);
static_assert(CUDNN_CONVOLUTION_BWD_FILTER_ALGO_COUNT == 7);

template <class Performance, class Algorithm>
constexpr bool measures =
    std::is_same_v<decltype(Performance::algo), Algorithm>&& std::is_same_v<
        decltype(Performance::status), cudnnStatus_t>&& std::is_same_v<decltype(Performance::time), float>&&
        std::is_same_v<decltype(Performance::memory), size_t>&&
            std::is_same_v<decltype(Performance::determinism), cudnnDeterminism_t> &&
    sizeof(Performance) == 48;
static_assert(measures<cudnnConvolutionFwdAlgoPerf_t, cudnnConvolutionFwdAlgo_t>);
static_assert(measures<cudnnConvolutionBwdDataAlgoPerf_t, cudnnConvolutionBwdDataAlgo_t>);
static_assert(measures<cudnnConvolutionBwdFilterAlgoPerf_t, cudnnConvolutionBwdFilterAlgo_t>);

}  // namespace
#endif
