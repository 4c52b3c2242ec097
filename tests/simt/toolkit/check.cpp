// SPDX-License-Identifier: MIT
// What the software GPU's headers declare, as the toolkit's own do. This file is compiled against ours, and
// where a toolkit is installed against its headers as well: a signature, value or member that differs does
// not compile.
#include <cublasLt.h>
#include <cublas_v2.h>
#include <cuda_runtime_api.h>

#include <cstddef>
#include <type_traits>

namespace {

template <class Function>
constexpr bool has(Function*) {
    return true;
}
template <class A, class B>
constexpr bool same = std::is_same_v<A, B>;

static_assert(has<const char*(cudaError_t)>(cudaGetErrorName));
static_assert(has<const char*(cudaError_t)>(cudaGetErrorString));
static_assert(has<cudaError_t()>(cudaGetLastError));
static_assert(has<cudaError_t()>(cudaPeekAtLastError));
static_assert(has<cudaError_t(int*)>(cudaGetDeviceCount));
static_assert(has<cudaError_t(int*)>(cudaGetDevice));
static_assert(has<cudaError_t(int)>(cudaSetDevice));
static_assert(has<cudaError_t(cudaDeviceProp*, int)>(cudaGetDeviceProperties));
static_assert(has<cudaError_t(int*, cudaDeviceAttr, int)>(cudaDeviceGetAttribute));
static_assert(has<cudaError_t()>(cudaDeviceSynchronize));
static_assert(has<cudaError_t()>(cudaDeviceReset));
static_assert(has<cudaError_t(int*)>(cudaDriverGetVersion));
static_assert(has<cudaError_t(int*)>(cudaRuntimeGetVersion));
static_assert(has<cudaError_t(cudaMemPool_t*, int)>(cudaDeviceGetDefaultMemPool));
static_assert(has<cudaError_t(cudaMemPool_t, cudaMemPoolAttr, void*)>(cudaMemPoolSetAttribute));
static_assert(has<cudaError_t(cudaMemPool_t, cudaMemPoolAttr, void*)>(cudaMemPoolGetAttribute));
static_assert(has<cudaError_t(cudaMemPool_t, size_t)>(cudaMemPoolTrimTo));
static_assert(has<cudaError_t(int*, int*)>(cudaDeviceGetStreamPriorityRange));
static_assert(has<cudaError_t(void**, size_t)>(cudaMalloc));
static_assert(has<cudaError_t(void*)>(cudaFree));
static_assert(has<cudaError_t(void**, size_t, cudaStream_t)>(cudaMallocAsync));
static_assert(has<cudaError_t(void*, cudaStream_t)>(cudaFreeAsync));
static_assert(has<cudaError_t(void**, size_t)>(cudaMallocHost));
static_assert(has<cudaError_t(void**, size_t, unsigned int)>(cudaHostAlloc));
static_assert(has<cudaError_t(void*)>(cudaFreeHost));
static_assert(has<cudaError_t(size_t*, size_t*)>(cudaMemGetInfo));
static_assert(has<cudaError_t(cudaPointerAttributes*, const void*)>(cudaPointerGetAttributes));
static_assert(has<cudaError_t(void*, const void*, size_t, cudaMemcpyKind)>(cudaMemcpy));
static_assert(has<cudaError_t(void*, const void*, size_t, cudaMemcpyKind, cudaStream_t)>(cudaMemcpyAsync));
static_assert(
    has<cudaError_t(void*, size_t, const void*, size_t, size_t, size_t, cudaMemcpyKind)>(cudaMemcpy2D));
static_assert(has<cudaError_t(void*, size_t, const void*, size_t, size_t, size_t, cudaMemcpyKind,
                              cudaStream_t)>(cudaMemcpy2DAsync));
static_assert(has<cudaError_t(void*, int, size_t)>(cudaMemset));
static_assert(has<cudaError_t(void*, int, size_t, cudaStream_t)>(cudaMemsetAsync));
static_assert(has<cudaError_t(cudaStream_t*)>(cudaStreamCreate));
static_assert(has<cudaError_t(cudaStream_t*, unsigned int)>(cudaStreamCreateWithFlags));
static_assert(has<cudaError_t(cudaStream_t*, unsigned int, int)>(cudaStreamCreateWithPriority));
static_assert(has<cudaError_t(cudaStream_t)>(cudaStreamDestroy));
static_assert(has<cudaError_t(cudaStream_t)>(cudaStreamSynchronize));
static_assert(has<cudaError_t(cudaStream_t)>(cudaStreamQuery));
static_assert(has<cudaError_t(cudaStream_t, cudaEvent_t, unsigned int)>(cudaStreamWaitEvent));
static_assert(has<cudaError_t(cudaStream_t, int*)>(cudaStreamGetPriority));
static_assert(has<cudaError_t(cudaStream_t, unsigned int*)>(cudaStreamGetFlags));
static_assert(has<cudaError_t(cudaStream_t, cudaHostFn_t, void*)>(cudaLaunchHostFunc));
static_assert(has<cudaError_t(cudaEvent_t*)>(cudaEventCreate));
static_assert(has<cudaError_t(cudaEvent_t*, unsigned int)>(cudaEventCreateWithFlags));
static_assert(has<cudaError_t(cudaEvent_t)>(cudaEventDestroy));
static_assert(has<cudaError_t(cudaEvent_t, cudaStream_t)>(cudaEventRecord));
static_assert(has<cudaError_t(cudaEvent_t)>(cudaEventSynchronize));
static_assert(has<cudaError_t(cudaEvent_t)>(cudaEventQuery));
static_assert(has<cudaError_t(float*, cudaEvent_t, cudaEvent_t)>(cudaEventElapsedTime));
static_assert(has<cudaError_t(cudaStream_t, cudaStreamCaptureMode)>(cudaStreamBeginCapture));
static_assert(has<cudaError_t(cudaStream_t, cudaGraph_t*)>(cudaStreamEndCapture));
static_assert(has<cudaError_t(cudaStream_t, cudaStreamCaptureStatus*)>(cudaStreamIsCapturing));
static_assert(has<cudaError_t(cudaStreamCaptureMode*)>(cudaThreadExchangeStreamCaptureMode));
static_assert(has<cudaError_t(cudaGraphExec_t*, cudaGraph_t, unsigned long long)>(cudaGraphInstantiate));
static_assert(has<cudaError_t(cudaGraphExec_t, cudaStream_t)>(cudaGraphLaunch));
static_assert(has<cudaError_t(cudaGraphExec_t, cudaStream_t)>(cudaGraphUpload));
static_assert(has<cudaError_t(cudaGraph_t)>(cudaGraphDestroy));
static_assert(has<cudaError_t(cudaGraphExec_t)>(cudaGraphExecDestroy));
static_assert(has<cudaError_t(cudaGraph_t, cudaGraphNode_t*, size_t*)>(cudaGraphGetNodes));
static_assert(has<cudaError_t(cudaGraphNode_t, cudaGraphNodeType*)>(cudaGraphNodeGetType));
static_assert(has<cudaError_t(const void*, cudaFuncAttribute, int)>(cudaFuncSetAttribute));
static_assert(has<cudaError_t(cudaFuncAttributes*, const void*)>(cudaFuncGetAttributes));
static_assert(has<cudaError_t(const void*, cudaFuncCache)>(cudaFuncSetCacheConfig));
static_assert(
    has<cudaError_t(int*, const void*, int, size_t)>(cudaOccupancyMaxActiveBlocksPerMultiprocessor));
static_assert(has<cudaError_t(const void*, dim3, dim3, void**, size_t, cudaStream_t)>(cudaLaunchKernel));
static_assert(has<cudaError_t(const cudaLaunchConfig_t*, const void*, void**)>(cudaLaunchKernelExC));
static_assert(has<cublasStatus_t(cublasHandle_t*)>(cublasCreate_v2));
static_assert(has<cublasStatus_t(cublasHandle_t)>(cublasDestroy_v2));
static_assert(has<cublasStatus_t(cublasHandle_t, int*)>(cublasGetVersion_v2));
static_assert(has<cublasStatus_t(libraryPropertyType, int*)>(cublasGetProperty));
static_assert(has<cublasStatus_t(cublasHandle_t, void*, size_t)>(cublasSetWorkspace_v2));
static_assert(has<cublasStatus_t(cublasHandle_t, cudaStream_t)>(cublasSetStream_v2));
static_assert(has<cublasStatus_t(cublasHandle_t, cudaStream_t*)>(cublasGetStream_v2));
static_assert(has<cublasStatus_t(cublasHandle_t, cublasPointerMode_t*)>(cublasGetPointerMode_v2));
static_assert(has<cublasStatus_t(cublasHandle_t, cublasPointerMode_t)>(cublasSetPointerMode_v2));
static_assert(has<cublasStatus_t(cublasHandle_t, cublasMath_t*)>(cublasGetMathMode));
static_assert(has<cublasStatus_t(cublasHandle_t, cublasMath_t)>(cublasSetMathMode));
static_assert(has<const char*(cublasStatus_t)>(cublasGetStatusName));
static_assert(has<const char*(cublasStatus_t)>(cublasGetStatusString));
static_assert(
    has<cublasStatus_t(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const float*,
                       const float*, int, const float*, int, const float*, float*, int)>(cublasSgemm_v2));
static_assert(
    has<cublasStatus_t(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const float*,
                       const float*, int, long long int, const float*, int, long long int, const float*,
                       float*, int, long long int, int)>(cublasSgemmStridedBatched));
static_assert(
    has<cublasStatus_t(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const void*,
                       const void*, cudaDataType, int, const void*, cudaDataType, int, const void*, void*,
                       cudaDataType, int, cublasComputeType_t, cublasGemmAlgo_t)>(cublasGemmEx));
static_assert(
    has<cublasStatus_t(cublasHandle_t, cublasOperation_t, cublasOperation_t, int, int, int, const void*,
                       const void*, cudaDataType, int, long long int, const void*, cudaDataType, int,
                       long long int, const void*, void*, cudaDataType, int, long long int, int,
                       cublasComputeType_t, cublasGemmAlgo_t)>(cublasGemmStridedBatchedEx));
static_assert(has<size_t()>(cublasLtGetVersion));
static_assert(has<cublasStatus_t(cublasLtHandle_t*)>(cublasLtCreate));
static_assert(has<cublasStatus_t(cublasLtHandle_t)>(cublasLtDestroy));
static_assert(has<cublasStatus_t(cublasLtMatmulDesc_t*, cublasComputeType_t, cudaDataType_t)>(
    cublasLtMatmulDescCreate));
static_assert(has<cublasStatus_t(cublasLtMatmulDesc_t)>(cublasLtMatmulDescDestroy));
static_assert(has<cublasStatus_t(cublasLtMatmulDesc_t, cublasLtMatmulDescAttributes_t, const void*, size_t)>(
    cublasLtMatmulDescSetAttribute));
static_assert(has<cublasStatus_t(cublasLtMatrixLayout_t*, cudaDataType, uint64_t, uint64_t, int64_t)>(
    cublasLtMatrixLayoutCreate));
static_assert(has<cublasStatus_t(cublasLtMatrixLayout_t)>(cublasLtMatrixLayoutDestroy));
static_assert(has<cublasStatus_t(cublasLtMatrixLayout_t, cublasLtMatrixLayoutAttribute_t, const void*,
                                 size_t)>(cublasLtMatrixLayoutSetAttribute));
static_assert(has<cublasStatus_t(cublasLtMatmulPreference_t*)>(cublasLtMatmulPreferenceCreate));
static_assert(has<cublasStatus_t(cublasLtMatmulPreference_t)>(cublasLtMatmulPreferenceDestroy));
static_assert(has<cublasStatus_t(cublasLtMatmulPreference_t, cublasLtMatmulPreferenceAttributes_t,
                                 const void*, size_t)>(cublasLtMatmulPreferenceSetAttribute));
static_assert(
    has<cublasStatus_t(cublasLtHandle_t, cublasLtMatmulDesc_t, cublasLtMatrixLayout_t, cublasLtMatrixLayout_t,
                       cublasLtMatrixLayout_t, cublasLtMatrixLayout_t, cublasLtMatmulPreference_t, int,
                       cublasLtMatmulHeuristicResult_t*, int*)>(cublasLtMatmulAlgoGetHeuristic));
static_assert(has<cublasStatus_t(cublasLtHandle_t, cublasLtMatmulDesc_t, const void*, const void*,
                                 cublasLtMatrixLayout_t, const void*, cublasLtMatrixLayout_t, const void*,
                                 const void*, cublasLtMatrixLayout_t, void*, cublasLtMatrixLayout_t,
                                 const cublasLtMatmulAlgo_t*, void*, size_t, cudaStream_t)>(cublasLtMatmul));

static_assert(cudaSuccess == 0);
static_assert(cudaErrorInvalidValue == 1);
static_assert(cudaErrorMemoryAllocation == 2);
static_assert(cudaErrorInitializationError == 3);
static_assert(cudaErrorCudartUnloading == 4);
static_assert(cudaErrorInvalidConfiguration == 9);
static_assert(cudaErrorInvalidPitchValue == 12);
static_assert(cudaErrorInvalidSymbol == 13);
static_assert(cudaErrorInvalidDevicePointer == 17);
static_assert(cudaErrorInvalidMemcpyDirection == 21);
static_assert(cudaErrorStubLibrary == 34);
static_assert(cudaErrorInsufficientDriver == 35);
static_assert(cudaErrorMissingConfiguration == 52);
static_assert(cudaErrorInvalidDeviceFunction == 98);
static_assert(cudaErrorNoDevice == 100);
static_assert(cudaErrorInvalidDevice == 101);
static_assert(cudaErrorInvalidKernelImage == 200);
static_assert(cudaErrorDeviceUninitialized == 201);
static_assert(cudaErrorNoKernelImageForDevice == 209);
static_assert(cudaErrorECCUncorrectable == 214);
static_assert(cudaErrorInvalidPtx == 218);
static_assert(cudaErrorUnsupportedPtxVersion == 222);
static_assert(cudaErrorInvalidResourceHandle == 400);
static_assert(cudaErrorIllegalState == 401);
static_assert(cudaErrorSymbolNotFound == 500);
static_assert(cudaErrorNotReady == 600);
static_assert(cudaErrorIllegalAddress == 700);
static_assert(cudaErrorLaunchOutOfResources == 701);
static_assert(cudaErrorLaunchTimeout == 702);
static_assert(cudaErrorAssert == 710);
static_assert(cudaErrorHostMemoryAlreadyRegistered == 712);
static_assert(cudaErrorHostMemoryNotRegistered == 713);
static_assert(cudaErrorHardwareStackError == 714);
static_assert(cudaErrorIllegalInstruction == 715);
static_assert(cudaErrorMisalignedAddress == 716);
static_assert(cudaErrorInvalidAddressSpace == 717);
static_assert(cudaErrorInvalidPc == 718);
static_assert(cudaErrorLaunchFailure == 719);
static_assert(cudaErrorCooperativeLaunchTooLarge == 720);
static_assert(cudaErrorNotPermitted == 800);
static_assert(cudaErrorNotSupported == 801);
static_assert(cudaErrorSystemNotReady == 802);
static_assert(cudaErrorSystemDriverMismatch == 803);
static_assert(cudaErrorCompatNotSupportedOnDevice == 804);
static_assert(cudaErrorStreamCaptureUnsupported == 900);
static_assert(cudaErrorStreamCaptureInvalidated == 901);
static_assert(cudaErrorStreamCaptureMerge == 902);
static_assert(cudaErrorStreamCaptureUnmatched == 903);
static_assert(cudaErrorStreamCaptureUnjoined == 904);
static_assert(cudaErrorStreamCaptureIsolation == 905);
static_assert(cudaErrorStreamCaptureImplicit == 906);
static_assert(cudaErrorCapturedEvent == 907);
static_assert(cudaErrorStreamCaptureWrongThread == 908);
static_assert(cudaErrorTimeout == 909);
static_assert(cudaErrorGraphExecUpdateFailure == 910);
static_assert(cudaErrorInvalidClusterSize == 912);
static_assert(cudaErrorUnknown == 999);
static_assert(cudaDevAttrMaxThreadsPerBlock == 1);
static_assert(cudaDevAttrMaxBlockDimX == 2);
static_assert(cudaDevAttrMaxBlockDimY == 3);
static_assert(cudaDevAttrMaxBlockDimZ == 4);
static_assert(cudaDevAttrMaxGridDimX == 5);
static_assert(cudaDevAttrMaxGridDimY == 6);
static_assert(cudaDevAttrMaxGridDimZ == 7);
static_assert(cudaDevAttrMaxSharedMemoryPerBlock == 8);
static_assert(cudaDevAttrTotalConstantMemory == 9);
static_assert(cudaDevAttrWarpSize == 10);
static_assert(cudaDevAttrMaxRegistersPerBlock == 12);
static_assert(cudaDevAttrClockRate == 13);
static_assert(cudaDevAttrMultiProcessorCount == 16);
static_assert(cudaDevAttrIntegrated == 18);
static_assert(cudaDevAttrCanMapHostMemory == 19);
static_assert(cudaDevAttrComputeMode == 20);
static_assert(cudaDevAttrConcurrentKernels == 31);
static_assert(cudaDevAttrMemoryClockRate == 36);
static_assert(cudaDevAttrGlobalMemoryBusWidth == 37);
static_assert(cudaDevAttrL2CacheSize == 38);
static_assert(cudaDevAttrMaxThreadsPerMultiProcessor == 39);
static_assert(cudaDevAttrAsyncEngineCount == 40);
static_assert(cudaDevAttrUnifiedAddressing == 41);
static_assert(cudaDevAttrComputeCapabilityMajor == 75);
static_assert(cudaDevAttrComputeCapabilityMinor == 76);
static_assert(cudaDevAttrStreamPrioritiesSupported == 78);
static_assert(cudaDevAttrMaxSharedMemoryPerMultiprocessor == 81);
static_assert(cudaDevAttrMaxRegistersPerMultiprocessor == 82);
static_assert(cudaDevAttrManagedMemory == 83);
static_assert(cudaDevAttrPageableMemoryAccess == 88);
static_assert(cudaDevAttrCooperativeLaunch == 95);
static_assert(cudaDevAttrMaxSharedMemoryPerBlockOptin == 97);
static_assert(cudaDevAttrMaxBlocksPerMultiprocessor == 106);
static_assert(cudaDevAttrReservedSharedMemoryPerBlock == 111);
static_assert(cudaDevAttrMemoryPoolsSupported == 115);
static_assert(cudaDevAttrClusterLaunch == 120);
static_assert(cudaMemcpyHostToHost == 0);
static_assert(cudaMemcpyHostToDevice == 1);
static_assert(cudaMemcpyDeviceToHost == 2);
static_assert(cudaMemcpyDeviceToDevice == 3);
static_assert(cudaMemcpyDefault == 4);
static_assert(cudaMemoryTypeUnregistered == 0);
static_assert(cudaMemoryTypeHost == 1);
static_assert(cudaMemoryTypeDevice == 2);
static_assert(cudaMemoryTypeManaged == 3);
static_assert(cudaComputeModeDefault == 0);
static_assert(cudaComputeModeExclusive == 1);
static_assert(cudaComputeModeProhibited == 2);
static_assert(cudaComputeModeExclusiveProcess == 3);
static_assert(cudaFuncAttributeMaxDynamicSharedMemorySize == 8);
static_assert(cudaFuncAttributePreferredSharedMemoryCarveout == 9);
static_assert(cudaFuncCachePreferNone == 0);
static_assert(cudaFuncCachePreferShared == 1);
static_assert(cudaFuncCachePreferL1 == 2);
static_assert(cudaFuncCachePreferEqual == 3);
static_assert(cudaSharedmemCarveoutDefault == -1);
static_assert(cudaSharedmemCarveoutMaxShared == 100);
static_assert(cudaSharedmemCarveoutMaxL1 == 0);
static_assert(cudaStreamCaptureStatusNone == 0);
static_assert(cudaStreamCaptureStatusActive == 1);
static_assert(cudaStreamCaptureStatusInvalidated == 2);
static_assert(cudaStreamCaptureModeGlobal == 0);
static_assert(cudaStreamCaptureModeThreadLocal == 1);
static_assert(cudaStreamCaptureModeRelaxed == 2);
static_assert(cudaGraphNodeTypeKernel == 0);
static_assert(cudaGraphNodeTypeMemcpy == 1);
static_assert(cudaGraphNodeTypeMemset == 2);
static_assert(cudaGraphNodeTypeHost == 3);
static_assert(cudaGraphNodeTypeGraph == 4);
static_assert(cudaGraphNodeTypeEmpty == 5);
static_assert(cudaMemPoolAttrReleaseThreshold == 4);
static_assert(cudaMemPoolAttrReservedMemCurrent == 5);
static_assert(cudaMemPoolAttrReservedMemHigh == 6);
static_assert(cudaMemPoolAttrUsedMemCurrent == 7);
static_assert(cudaMemPoolAttrUsedMemHigh == 8);
static_assert(cudaLaunchAttributeIgnore == 0);
static_assert(cudaLaunchAttributeCooperative == 2);
static_assert(cudaLaunchAttributePriority == 8);
static_assert(CUDA_R_32F == 0);
static_assert(CUDA_R_64F == 1);
static_assert(CUDA_R_16F == 2);
static_assert(CUDA_R_8I == 3);
static_assert(CUDA_R_8U == 8);
static_assert(CUDA_R_32I == 10);
static_assert(CUDA_R_16BF == 14);
static_assert(CUBLAS_STATUS_SUCCESS == 0);
static_assert(CUBLAS_STATUS_NOT_INITIALIZED == 1);
static_assert(CUBLAS_STATUS_ALLOC_FAILED == 3);
static_assert(CUBLAS_STATUS_INVALID_VALUE == 7);
static_assert(CUBLAS_STATUS_ARCH_MISMATCH == 8);
static_assert(CUBLAS_STATUS_MAPPING_ERROR == 11);
static_assert(CUBLAS_STATUS_EXECUTION_FAILED == 13);
static_assert(CUBLAS_STATUS_INTERNAL_ERROR == 14);
static_assert(CUBLAS_STATUS_NOT_SUPPORTED == 15);
static_assert(CUBLAS_STATUS_LICENSE_ERROR == 16);
static_assert(CUBLAS_OP_N == 0);
static_assert(CUBLAS_OP_T == 1);
static_assert(CUBLAS_OP_C == 2);
static_assert(CUBLAS_POINTER_MODE_HOST == 0);
static_assert(CUBLAS_POINTER_MODE_DEVICE == 1);
static_assert(CUBLAS_GEMM_DFALT == -1);
static_assert(CUBLAS_GEMM_DEFAULT == -1);
static_assert(CUBLAS_GEMM_DEFAULT_TENSOR_OP == 99);
static_assert(CUBLAS_GEMM_DFALT_TENSOR_OP == 99);
static_assert(CUBLAS_DEFAULT_MATH == 0);
static_assert(CUBLAS_TENSOR_OP_MATH == 1);
static_assert(CUBLAS_PEDANTIC_MATH == 2);
static_assert(CUBLAS_TF32_TENSOR_OP_MATH == 3);
static_assert(CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION == 16);
static_assert(CUBLAS_COMPUTE_16F == 64);
static_assert(CUBLAS_COMPUTE_16F_PEDANTIC == 65);
static_assert(CUBLAS_COMPUTE_32F == 68);
static_assert(CUBLAS_COMPUTE_32F_PEDANTIC == 69);
static_assert(CUBLAS_COMPUTE_64F == 70);
static_assert(CUBLAS_COMPUTE_32F_FAST_16F == 74);
static_assert(CUBLAS_COMPUTE_32F_FAST_16BF == 75);
static_assert(CUBLAS_COMPUTE_32F_FAST_TF32 == 77);
static_assert(CUBLASLT_MATMUL_DESC_COMPUTE_TYPE == 0);
static_assert(CUBLASLT_MATMUL_DESC_SCALE_TYPE == 1);
static_assert(CUBLASLT_MATMUL_DESC_POINTER_MODE == 2);
static_assert(CUBLASLT_MATMUL_DESC_TRANSA == 3);
static_assert(CUBLASLT_MATMUL_DESC_TRANSB == 4);
static_assert(CUBLASLT_MATMUL_DESC_EPILOGUE == 7);
static_assert(CUBLASLT_MATMUL_DESC_BIAS_POINTER == 8);
static_assert(CUBLASLT_MATMUL_DESC_BIAS_DATA_TYPE == 26);
static_assert(CUBLASLT_MATRIX_LAYOUT_TYPE == 0);
static_assert(CUBLASLT_MATRIX_LAYOUT_ORDER == 1);
static_assert(CUBLASLT_MATRIX_LAYOUT_ROWS == 2);
static_assert(CUBLASLT_MATRIX_LAYOUT_COLS == 3);
static_assert(CUBLASLT_MATRIX_LAYOUT_LD == 4);
static_assert(CUBLASLT_MATRIX_LAYOUT_BATCH_COUNT == 5);
static_assert(CUBLASLT_MATRIX_LAYOUT_STRIDED_BATCH_OFFSET == 6);
static_assert(CUBLASLT_MATMUL_PREF_SEARCH_MODE == 0);
static_assert(CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES == 1);
static_assert(CUBLASLT_EPILOGUE_DEFAULT == 1);
static_assert(CUBLASLT_EPILOGUE_RELU == 2);
static_assert(CUBLASLT_EPILOGUE_BIAS == 4);
static_assert(CUBLASLT_EPILOGUE_RELU_BIAS == 6);
static_assert(CUBLASLT_EPILOGUE_GELU == 32);
static_assert(CUBLASLT_EPILOGUE_GELU_BIAS == 36);
static_assert(CUBLASLT_ORDER_COL == 0);
static_assert(CUBLASLT_ORDER_ROW == 1);
static_assert(cudaStreamDefault == 0x00);
static_assert(cudaStreamNonBlocking == 0x01);
static_assert(cudaEventDefault == 0x00);
static_assert(cudaEventBlockingSync == 0x01);
static_assert(cudaEventDisableTiming == 0x02);
static_assert(cudaEventRecordDefault == 0x00);
static_assert(cudaEventWaitDefault == 0x00);
static_assert(cudaHostAllocDefault == 0x00);
static_assert(cudaHostAllocPortable == 0x01);
static_assert(cudaHostAllocMapped == 0x02);
static_assert(cudaHostAllocWriteCombined == 0x04);
static_assert(cudaOccupancyDefault == 0x00);
static_assert(cudaCpuDeviceId == (-1));

static_assert(same<decltype(cudaDeviceProp::name), char[256]>);
static_assert(same<decltype(cudaDeviceProp::uuid), cudaUUID_t>);
static_assert(same<decltype(cudaDeviceProp::totalGlobalMem), size_t>);
static_assert(same<decltype(cudaDeviceProp::sharedMemPerBlock), size_t>);
static_assert(same<decltype(cudaDeviceProp::regsPerBlock), int>);
static_assert(same<decltype(cudaDeviceProp::warpSize), int>);
static_assert(same<decltype(cudaDeviceProp::memPitch), size_t>);
static_assert(same<decltype(cudaDeviceProp::maxThreadsPerBlock), int>);
static_assert(same<decltype(cudaDeviceProp::maxThreadsDim), int[3]>);
static_assert(same<decltype(cudaDeviceProp::maxGridSize), int[3]>);
static_assert(same<decltype(cudaDeviceProp::totalConstMem), size_t>);
static_assert(same<decltype(cudaDeviceProp::major), int>);
static_assert(same<decltype(cudaDeviceProp::minor), int>);
static_assert(same<decltype(cudaDeviceProp::multiProcessorCount), int>);
static_assert(same<decltype(cudaDeviceProp::integrated), int>);
static_assert(same<decltype(cudaDeviceProp::canMapHostMemory), int>);
static_assert(same<decltype(cudaDeviceProp::concurrentKernels), int>);
static_assert(same<decltype(cudaDeviceProp::ECCEnabled), int>);
static_assert(same<decltype(cudaDeviceProp::pciBusID), int>);
static_assert(same<decltype(cudaDeviceProp::pciDeviceID), int>);
static_assert(same<decltype(cudaDeviceProp::pciDomainID), int>);
static_assert(same<decltype(cudaDeviceProp::asyncEngineCount), int>);
static_assert(same<decltype(cudaDeviceProp::unifiedAddressing), int>);
static_assert(same<decltype(cudaDeviceProp::memoryBusWidth), int>);
static_assert(same<decltype(cudaDeviceProp::l2CacheSize), int>);
static_assert(same<decltype(cudaDeviceProp::maxThreadsPerMultiProcessor), int>);
static_assert(same<decltype(cudaDeviceProp::streamPrioritiesSupported), int>);
static_assert(same<decltype(cudaDeviceProp::sharedMemPerMultiprocessor), size_t>);
static_assert(same<decltype(cudaDeviceProp::regsPerMultiprocessor), int>);
static_assert(same<decltype(cudaDeviceProp::managedMemory), int>);
static_assert(same<decltype(cudaDeviceProp::pageableMemoryAccess), int>);
static_assert(same<decltype(cudaDeviceProp::cooperativeLaunch), int>);
static_assert(same<decltype(cudaDeviceProp::sharedMemPerBlockOptin), size_t>);
static_assert(same<decltype(cudaDeviceProp::maxBlocksPerMultiProcessor), int>);
static_assert(same<decltype(cudaDeviceProp::reservedSharedMemPerBlock), size_t>);
static_assert(same<decltype(cudaDeviceProp::memoryPoolsSupported), int>);
static_assert(same<decltype(cudaDeviceProp::clusterLaunch), int>);
static_assert(same<decltype(cudaFuncAttributes::sharedSizeBytes), size_t>);
static_assert(same<decltype(cudaFuncAttributes::constSizeBytes), size_t>);
static_assert(same<decltype(cudaFuncAttributes::localSizeBytes), size_t>);
static_assert(same<decltype(cudaFuncAttributes::maxThreadsPerBlock), int>);
static_assert(same<decltype(cudaFuncAttributes::numRegs), int>);
static_assert(same<decltype(cudaFuncAttributes::ptxVersion), int>);
static_assert(same<decltype(cudaFuncAttributes::binaryVersion), int>);
static_assert(same<decltype(cudaFuncAttributes::cacheModeCA), int>);
static_assert(same<decltype(cudaFuncAttributes::maxDynamicSharedSizeBytes), int>);
static_assert(same<decltype(cudaFuncAttributes::preferredShmemCarveout), int>);
static_assert(same<decltype(cudaPointerAttributes::type), cudaMemoryType>);
static_assert(same<decltype(cudaPointerAttributes::device), int>);
static_assert(same<decltype(cudaPointerAttributes::devicePointer), void*>);
static_assert(same<decltype(cudaPointerAttributes::hostPointer), void*>);
static_assert(same<decltype(cudaLaunchConfig_t::gridDim), dim3>);
static_assert(same<decltype(cudaLaunchConfig_t::blockDim), dim3>);
static_assert(same<decltype(cudaLaunchConfig_t::dynamicSmemBytes), size_t>);
static_assert(same<decltype(cudaLaunchConfig_t::stream), cudaStream_t>);
static_assert(same<decltype(cudaLaunchConfig_t::attrs), cudaLaunchAttribute*>);
static_assert(same<decltype(cudaLaunchConfig_t::numAttrs), unsigned int>);

// The vectors are passed to kernels and read from memory: their size and alignment count.
static_assert(sizeof(uchar2) == 2 && alignof(uchar2) == 2);
static_assert(sizeof(uchar3) == 3 && alignof(uchar3) == 1);
static_assert(sizeof(uchar4) == 4 && alignof(uchar4) == 4);
static_assert(sizeof(char4) == 4 && alignof(char4) == 4);
static_assert(sizeof(short2) == 4 && alignof(short2) == 4);
static_assert(sizeof(ushort2) == 4 && alignof(ushort2) == 4);
static_assert(sizeof(ushort4) == 8 && alignof(ushort4) == 8);
static_assert(sizeof(int2) == 8 && alignof(int2) == 8);
static_assert(sizeof(int3) == 12 && alignof(int3) == 4);
static_assert(sizeof(int4) == 16 && alignof(int4) == 16);
static_assert(sizeof(uint2) == 8 && alignof(uint2) == 8);
static_assert(sizeof(uint3) == 12 && alignof(uint3) == 4);
static_assert(sizeof(uint4) == 16 && alignof(uint4) == 16);
static_assert(sizeof(longlong2) == 16 && alignof(longlong2) == 16);
static_assert(sizeof(ulonglong2) == 16 && alignof(ulonglong2) == 16);
static_assert(sizeof(float2) == 8 && alignof(float2) == 8);
static_assert(sizeof(float3) == 12 && alignof(float3) == 4);
static_assert(sizeof(float4) == 16 && alignof(float4) == 16);
static_assert(sizeof(double2) == 16 && alignof(double2) == 16);
static_assert(sizeof(dim3) == 12 && alignof(dim3) == 4);

}  // namespace
