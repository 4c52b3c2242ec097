// SPDX-License-Identifier: MIT
// Rows (inner = 1): one block each. Columns: one thread each, neighbours reading neighbours.
#include "kernels/softmax/softmax.h"

#include "kernels/common/block_reduce.h"
#include "kernels/common/index.h"
#include "kernels/common/vector_math.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

// y, by Σ or ln Σ, of a row whose terms lie `step` apart and of which this thread has every `stride`-th.
// reduce(value, fold): over the threads that share the row.
template <bool kLog, class Reduce>
__device__ void softmax_row(int64_t n, int64_t first, int64_t stride, int64_t step, const float* x, float* y,
                            const Reduce& reduce) {
    float m = -INFINITY;  // of lanes without an element too
    for (int64_t k = first; k < n; k += stride) m = x[k * step] > m ? x[k * step] : m;
    m = reduce(m, Maximum{});
    double total = 0;
    for (int64_t k = first; k < n; k += stride) {
        const float e = fast_exp(x[k * step] - m);
        total += e;
        if (!kLog) y[k * step] = e;
    }
    total = reduce(total, Add{});
    const float last = static_cast<float>(kLog ? log(total) : total);
    for (int64_t k = first; k < n; k += stride)
        y[k * step] = kLog ? x[k * step] - m - last : y[k * step] / last;
}

// The same for a row that its threads can hold, kKept numbers each: read once, written once.
constexpr int kKept = 8;
template <int kThreads, bool kLog, class Reduce>
__device__ void softmax_kept_row(int n, const float* x, float* y, const Reduce& reduce) {
    const int first = static_cast<int>(threadIdx.x);
    float value[kKept], m = -INFINITY;
    for (int k = 0; k < kKept; ++k) {
        value[k] = first + k * kThreads < n ? x[first + k * kThreads] : -INFINITY;
        m = value[k] > m ? value[k] : m;
    }
    m = reduce(m, Maximum{});
    double total = 0;
    for (int k = 0; k < kKept; ++k) {
        if (first + k * kThreads >= n) break;
        const float e = fast_exp(value[k] - m);
        total += e;
        value[k] = kLog ? value[k] - m : e;
    }
    total = reduce(total, Add{});
    const float last = static_cast<float>(kLog ? log(total) : total);
    for (int k = 0; k < kKept; ++k)
        if (first + k * kThreads < n) y[first + k * kThreads] = kLog ? value[k] - last : value[k] / last;
}

// dx = y (dy - Σ y dy), or dy - exp(y) Σ dy
template <bool kLog, class Reduce>
__device__ void gradient_row(int64_t n, int64_t first, int64_t stride, int64_t step, const float* y,
                             const float* dy, float* dx, const Reduce& reduce) {
    double total = 0;
    for (int64_t k = first; k < n; k += stride) total += kLog ? dy[k * step] : y[k * step] * dy[k * step];
    const float sum = static_cast<float>(reduce(total, Add{}));
    for (int64_t k = first; k < n; k += stride) {
        const float v = y[k * step], dv = dy[k * step];
        dx[k * step] = kLog ? dv - fast_exp(v) * sum : v * (dv - sum);
    }
}

template <int kThreads>
struct BlockReduce {
    template <class T, class Fold>
    __device__ T operator()(T value, Fold fold) const {
        return block_reduce<kThreads>(value, fold);
    }
};
struct Alone {
    template <class T, class Fold>
    __device__ T operator()(T value, Fold) const {
        return value;
    }
};

// The block's values stay in registers: for more blocks at once, ptxas spills them.
template <int kThreads, bool kLog>
__global__ void __launch_bounds__(kThreads, 2) rows_kernel(int64_t n, const float* x, float* y) {
    const int64_t at = blockIdx.x * n;
    if (n <= kKept * kThreads)
        return softmax_kept_row<kThreads, kLog>(static_cast<int>(n), x + at, y + at, BlockReduce<kThreads>{});
    softmax_row<kLog>(n, threadIdx.x, kThreads, 1, x + at, y + at, BlockReduce<kThreads>{});
}
template <int kThreads, bool kLog>
__global__ void __launch_bounds__(kThreads)
    rows_backward_kernel(int64_t n, const float* y, const float* dy, float* dx) {
    const int64_t at = blockIdx.x * n;
    gradient_row<kLog>(n, threadIdx.x, kThreads, 1, y + at, dy + at, dx + at, BlockReduce<kThreads>{});
}

template <bool kLog>
__global__ void __launch_bounds__(kElementThreads) columns_kernel(SoftmaxShape s, const float* x, float* y) {
    for (int64_t i = thread_index(); i < s.outer * s.inner; i += thread_count()) {
        const auto [o, column] = divide(i, s.inner);
        const int64_t at = o * s.n * s.inner + column;
        softmax_row<kLog>(s.n, 0, 1, s.inner, x + at, y + at, Alone{});
    }
}
template <bool kLog>
__global__ void __launch_bounds__(kElementThreads)
    columns_backward_kernel(SoftmaxShape s, const float* y, const float* dy, float* dx) {
    for (int64_t i = thread_index(); i < s.outer * s.inner; i += thread_count()) {
        const auto [o, column] = divide(i, s.inner);
        const int64_t at = o * s.n * s.inner + column;
        gradient_row<kLog>(s.n, 0, 1, s.inner, y + at, dy + at, dx + at, Alone{});
    }
}

constexpr int kFew = 32, kMany = 256;  // threads for a short row (a warp) and a long one

template <bool kLog>
void forward(Queue& queue, SoftmaxShape s, const float* x, float* y) {
    if (s.n == 0) return;
    if (s.inner != 1)
        return launch("softmax", queue, one_thread_each(s.outer * s.inner), columns_kernel<kLog>, s, x, y);
    if (s.n <= 4 * kFew)
        return launch("softmax", queue, {blocks_for(s.outer, 1), dim3(kFew)}, rows_kernel<kFew, kLog>, s.n, x,
                      y);
    launch("softmax", queue, {blocks_for(s.outer, 1), dim3(kMany)}, rows_kernel<kMany, kLog>, s.n, x, y);
}

template <bool kLog>
void backward(Queue& queue, SoftmaxShape s, const float* y, const float* dy, float* dx) {
    if (s.n == 0) return;
    if (s.inner != 1)
        return launch("softmax", queue, one_thread_each(s.outer * s.inner), columns_backward_kernel<kLog>, s,
                      y, dy, dx);
    if (s.n <= 4 * kFew)
        return launch("softmax", queue, {blocks_for(s.outer, 1), dim3(kFew)},
                      rows_backward_kernel<kFew, kLog>, s.n, y, dy, dx);
    launch("softmax", queue, {blocks_for(s.outer, 1), dim3(kMany)}, rows_backward_kernel<kMany, kLog>, s.n, y,
           dy, dx);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const SoftmaxKernels<float>& softmax_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const SoftmaxKernels<float> table{forward<false>, backward<false>, forward<true>, backward<true>};
    return table;
}

}  // namespace lily::kernels
