// SPDX-License-Identifier: MIT
// The typed calls of cuda_runtime.h. A kernel is a C++ function here: from its type we know how to copy its
// arguments at the launch and how to call it later, once per thread.
#pragma once

#include <type_traits>
#include <utility>

#include "cuda_runtime_api.h"

namespace simt {

// How to call a kernel of one signature: its arguments are kept as bytes, as the hardware does.
struct Signature {
    void (*call)(const void* function, void* const* arguments);
    size_t count;
    const size_t* sizes;
    bool trivial;
};

template <class... A>
struct SignatureOf {
    // Not instrumented: the copies of the arguments are not memory of the device.
    template <size_t... I>
    __attribute__((no_sanitize("thread"))) static void expand(const void* function, void* const* arguments,
                                                              std::index_sequence<I...>) {
        (void)arguments;
        reinterpret_cast<void (*)(A...)>(const_cast<void*>(function))(
            *static_cast<std::remove_reference_t<A>*>(arguments[I])...);
    }
    __attribute__((no_sanitize("thread"))) static void call(const void* function, void* const* arguments) {
        expand(function, arguments, std::index_sequence_for<A...>());
    }
    static constexpr size_t sizes[sizeof...(A) + 1] = {sizeof(A)..., 0};
    static constexpr Signature value{call, sizeof...(A), sizes, (std::is_trivially_copyable_v<A> && ...)};
};

// Makes the kernel known, so that the untyped calls of the API accept its address too.
const void* known_kernel(const void* function, const Signature& signature);

template <class... A>
const void* known_kernel(void (*kernel)(A...)) {
    return known_kernel(reinterpret_cast<const void*>(kernel), SignatureOf<A...>::value);
}

}  // namespace simt

inline namespace simt_cuda {

// The arguments are converted to the kernel's own types first, as in a call.
template <class... Exp, class... Act>
__forceinline__ cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t* config, void (*kernel)(Exp...),
                                               Act&&... args) {
    return [&](Exp... converted) __attribute__((always_inline)) {
        void* pointers[sizeof...(Exp) + 1] = {const_cast<void*>(static_cast<const void*>(&converted))...};
        return cudaLaunchKernelExC(config, simt::known_kernel(kernel), pointers);
    }
    (std::forward<Act>(args)...);
}

template <class... A>
__forceinline__ cudaError_t cudaLaunchKernelExC(const cudaLaunchConfig_t* config, void (*kernel)(A...),
                                                void** args) {
    return cudaLaunchKernelExC(config, simt::known_kernel(kernel), args);
}

template <class... A>
__forceinline__ cudaError_t cudaLaunchKernel(void (*kernel)(A...), dim3 gridDim, dim3 blockDim, void** args,
                                             size_t sharedMem = 0, cudaStream_t stream = 0) {
    return cudaLaunchKernel(simt::known_kernel(kernel), gridDim, blockDim, args, sharedMem, stream);
}

template <class... A>
__forceinline__ cudaError_t cudaFuncSetAttribute(void (*kernel)(A...), cudaFuncAttribute attr, int value) {
    return cudaFuncSetAttribute(simt::known_kernel(kernel), attr, value);
}

template <class... A>
__forceinline__ cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attr, void (*kernel)(A...)) {
    return cudaFuncGetAttributes(attr, simt::known_kernel(kernel));
}

template <class... A>
__forceinline__ cudaError_t cudaFuncSetCacheConfig(void (*kernel)(A...), cudaFuncCache cacheConfig) {
    return cudaFuncSetCacheConfig(simt::known_kernel(kernel), cacheConfig);
}

template <class... A>
__forceinline__ cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* numBlocks,
                                                                          void (*kernel)(A...), int blockSize,
                                                                          size_t dynamicSMemSize) {
    return cudaOccupancyMaxActiveBlocksPerMultiprocessor(numBlocks, simt::known_kernel(kernel), blockSize,
                                                         dynamicSMemSize);
}

// The largest block that leaves no multiprocessor half empty, as far as shared memory decides it.
template <class... A>
__forceinline__ cudaError_t cudaOccupancyMaxPotentialBlockSize(int* minGridSize, int* blockSize,
                                                               void (*kernel)(A...),
                                                               size_t dynamicSMemSize = 0,
                                                               int blockSizeLimit = 0) {
    int processors = 0, threads = 0, most = 0;
    cudaDeviceGetAttribute(&processors, cudaDevAttrMultiProcessorCount, 0);
    cudaDeviceGetAttribute(&threads, cudaDevAttrMaxThreadsPerBlock, 0);
    if (blockSizeLimit > 0 && blockSizeLimit < threads) threads = blockSizeLimit;
    for (int size = threads / 32 * 32; size > 0; size -= 32) {
        int blocks = 0;
        const cudaError_t error =
            cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, kernel, size, dynamicSMemSize);
        if (error != cudaSuccess) return error;
        if (blocks * size <= most) continue;
        most = blocks * size;
        *blockSize = size;
        *minGridSize = blocks * processors;
    }
    return cudaSuccess;
}

template <class T>
__forceinline__ cudaError_t cudaMalloc(T** devPtr, size_t size) {
    return cudaMalloc(reinterpret_cast<void**>(devPtr), size);
}

template <class T>
__forceinline__ cudaError_t cudaMallocHost(T** ptr, size_t size) {
    return cudaMallocHost(reinterpret_cast<void**>(ptr), size);
}

template <class T>
__forceinline__ cudaError_t cudaHostAlloc(T** ptr, size_t size, unsigned int flags) {
    return cudaHostAlloc(reinterpret_cast<void**>(ptr), size, flags);
}

template <class T>
__forceinline__ cudaError_t cudaMallocAsync(T** devPtr, size_t size, cudaStream_t hStream) {
    return cudaMallocAsync(reinterpret_cast<void**>(devPtr), size, hStream);
}

}  // namespace simt_cuda
