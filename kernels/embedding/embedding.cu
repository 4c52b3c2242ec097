// SPDX-License-Identifier: MIT
// Backward without atomics: of the blocks with equal indices the first one adds up for all of them.
#include "kernels/embedding/embedding.h"

#include "kernels/common/index.h"
#include "kernels/common/packs.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

constexpr int kThreads = 128;

__global__ void __launch_bounds__(kElementThreads)
    forward_kernel(EmbeddingShape s, const float* weight, const int64_t* index, float* y) {
    for (int64_t at = thread_index(); at < s.n * s.width; at += thread_count()) {
        const auto [i, k] = divide(at, s.width);
        const int64_t row = index[i];
        y[at] = row >= 0 && row < s.rows ? weight[row * s.width + k] : NAN;
    }
}

void forward(Queue& queue, EmbeddingShape s, const float* weight, const int64_t* index, float* y) {
    launch("embedding", queue, one_thread_each(s.n * s.width), forward_kernel, s, weight, index, y);
}

struct Zero {
    __device__ float operator()() const { return 0; }
};

// One block per i; dweight is 0 before.
__global__ void __launch_bounds__(kThreads)
    backward_kernel(EmbeddingShape s, const int64_t* index, const float* dy, float* dweight) {
    const int64_t i = blockIdx.x, row = index[i];
    bool earlier = row < 0 || row >= s.rows;
    for (int64_t j = threadIdx.x; j < i; j += kThreads) earlier = earlier || index[j] == row;
    if (__syncthreads_or(earlier)) return;
    for (int64_t k = threadIdx.x; k < s.width; k += kThreads) {
        float sum = 0;
        for (int64_t j = i; j < s.n; ++j)
            if (index[j] == row) sum += dy[j * s.width + k];
        dweight[row * s.width + k] = sum;
    }
}

void backward(Queue& queue, EmbeddingShape s, const int64_t* index, const float* dy, float* dweight) {
    map("embedding", queue, s.rows * s.width, Zero{}, dweight);
    launch("embedding", queue, {blocks_for(s.n, 1), dim3(kThreads)}, backward_kernel, s, index, dy, dweight);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const EmbeddingKernels<float>& embedding_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const EmbeddingKernels<float> table{forward, backward};
    return table;
}

}  // namespace lily::kernels
