// SPDX-License-Identifier: MIT
#include "kernels/copy/copy.h"

#include "kernels/common/index.h"
#include "kernels/common/packs.h"
#include "kernels/copy/merged.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

template <class T>
struct Same {
    __device__ T operator()(T x) const { return x; }
};
template <class T>
struct Constant {
    T value;
    __device__ T operator()() const { return value; }
};

// y (N, C/to, M, to) = x (N, C/from, M, from); one thread per element of y.
template <class T>
__global__ void __launch_bounds__(kElementThreads)
    reorder_kernel(PlanesShape s, int64_t from, int64_t to, const T* x, T* y) {
    const int64_t n = s.n * s.c * s.m;
    for (int64_t i = thread_index(); i < n; i += thread_count()) {
        const auto [outside, lane] = divide(i, to);
        const auto [block, m] = divide(outside, s.m);
        const auto [sample, group] = divide(block, s.c / to);
        const auto [source_group, source_lane] = divide(group * to + lane, from);
        y[i] = x[((sample * (s.c / from) + source_group) * s.m + m) * from + source_lane];
    }
}

template <class T>
void reorder(Queue& queue, PlanesShape s, int64_t from_layout, int64_t to_layout, const T* x, T* y) {
    if (s.n * s.c * s.m == 0) return;
    launch("copy", queue, one_thread_each(s.n * s.c * s.m), reorder_kernel<T>, s, block_of(from_layout, s.c),
           block_of(to_layout, s.c), x, y);
}

template <class T>
__global__ void __launch_bounds__(kElementThreads)
    strided_kernel(int64_t n, StridedCopy s, const T* x, T* y) {
    for (int64_t i = thread_index(); i < n; i += thread_count()) {
        int64_t rest = i, from = 0, to = 0;
        for (int d = s.rank - 1; d >= 0; --d) {
            const auto [above, at] = divide(rest, s.size[d]);
            from += at * s.from_stride[d];
            to += at * s.to_stride[d];
            rest = above;
        }
        y[to] = x[from];
    }
}

template <class T>
void strided(Queue& queue, const StridedCopy& wanted, const T* x, T* y) {
    const StridedCopy s = merged(wanted);
    int64_t n = 1;
    for (int d = 0; d < s.rank; ++d) n *= s.size[d];
    if (s.rank == 1 && s.from_stride[0] == 1 && s.to_stride[0] == 1)
        return map("copy", queue, n, Same<T>{}, y, x);
    launch("copy", queue, one_thread_each(n), strided_kernel<T>, n, s, x, y);
}

template <class T>
void fill(Queue& queue, int64_t n, T value, T* y) {
    map("copy", queue, n, Constant<T>{value}, y);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

template <class T>
const CopyKernels<T>& copy_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const CopyKernels<T> table{reorder<T>, strided<T>, fill<T>};
    return table;
}
template const CopyKernels<float>& copy_on(LILY_CUDA_DEVICE::Gpu);
template const CopyKernels<double>& copy_on(LILY_CUDA_DEVICE::Gpu);
template const CopyKernels<int64_t>& copy_on(LILY_CUDA_DEVICE::Gpu);
template const CopyKernels<uint8_t>& copy_on(LILY_CUDA_DEVICE::Gpu);

}  // namespace lily::kernels
