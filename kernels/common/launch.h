// SPDX-License-Identifier: MIT
// The one way to launch a kernel; included by .cu files only. Everything of a .cu file stands in the
// namespace LILY_CUDA_DEVICE (simt or cuda), so that both builds of it fit into one program.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <string>
#include <type_traits>

#include "kernels/common/dispatch.h"
#include "kernels/common/error.h"
#include "kernels/common/queue.h"

namespace lily::kernels::LILY_CUDA_DEVICE {

// A CUDA error becomes an exception that says who met it: "[gram] too many resources requested for launch".
inline void check(cudaError_t error, const char* who) {
    if (error == cudaSuccess) return;
    cudaGetLastError();  // the error has been told: later calls do not meet it again
    throw Error("[" + std::string(who) + "] " + cudaGetErrorString(error) + " (" + cudaGetErrorName(error) +
                ")");
}

inline cudaStream_t stream(const Queue& queue) { return static_cast<cudaStream_t>(queue.stream()); }

// How many blocks of how many threads, and the dynamic shared memory of each.
struct Grid {
    dim3 blocks, threads;
    size_t shared_bytes = 0;
};

// Blocks that cover n elements, `per_block` each: as many as there are, or at most `most` of them for kernels
// that walk on through a larger n.
inline dim3 blocks_for(int64_t n, int64_t per_block, int64_t most = 0) {
    constexpr int64_t kMostBlocks = 0x7fffffff;
    const int64_t blocks = (n + per_block - 1) / per_block;
    if (most == 0 && blocks > kMostBlocks)
        throw Error("[launch] a tensor takes " + std::to_string(blocks) +
                    " blocks of a GPU's threads, which has 2147483647; use a smaller batch");
    return dim3(static_cast<unsigned>(most > 0 && blocks > most ? most : blocks));
}

// kernel(arguments...) in the queue's order. `who` names the room in errors. An empty grid (n = 0) is no
// work.
template <class... P>
void launch(const char* who, const Queue& queue, const Grid& grid, void (*kernel)(P...),
            std::type_identity_t<P>... arguments) {
    if (grid.blocks.x == 0 || grid.blocks.y == 0 || grid.blocks.z == 0) return;
    constexpr size_t kWithoutAsking = 48 << 10;  // bytes of shared memory that every kernel may have
    if (grid.shared_bytes > kWithoutAsking)
        check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                   static_cast<int>(grid.shared_bytes)),
              who);
    cudaLaunchConfig_t config{};
    config.gridDim = grid.blocks;
    config.blockDim = grid.threads;
    config.dynamicSmemBytes = grid.shared_bytes;
    config.stream = stream(queue);
    check(cudaLaunchKernelEx(&config, kernel, arguments...), who);
}

// The dynamic shared memory of a block, as an array of T.
template <class T>
__device__ inline T* dynamic_shared() {
#ifdef __CUDACC__
    extern __shared__ __align__(16) unsigned char bytes[];
    return reinterpret_cast<T*>(bytes);
#else
    return static_cast<T*>(lily_simt_dynamic_shared());
#endif
}

// This thread's number in the grid, and how many there are: for loops that walk through n elements.
__device__ inline int64_t thread_index() {
    return static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}
__device__ inline int64_t thread_count() { return static_cast<int64_t>(gridDim.x) * blockDim.x; }

}  // namespace lily::kernels::LILY_CUDA_DEVICE
