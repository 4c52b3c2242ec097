// SPDX-License-Identifier: MIT
#include "kernels/where/where.h"

#include "kernels/common/index.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

template <class C>
__global__ void __launch_bounds__(kElementThreads)
    where_kernel(int64_t n, WhereShape s, const C* c, const float* a, const float* b, float* y) {
    for (int64_t i = thread_index(); i < n; i += thread_count()) {
        int64_t rest = i, c_at = 0, a_at = 0, b_at = 0;
        for (int d = s.rank - 1; d >= 0; --d) {
            const auto [above, at] = divide(rest, s.size[d]);
            c_at += at * s.c_stride[d];
            a_at += at * s.a_stride[d];
            b_at += at * s.b_stride[d];
            rest = above;
        }
        y[i] = c[c_at] != 0 ? a[a_at] : b[b_at];
    }
}

template <class C>
void run(Queue& queue, const WhereShape& s, const C* c, const float* a, const float* b, float* y) {
    const int64_t n = product(s.rank, s.size);
    launch("where", queue, one_thread_each(n), where_kernel<C>, n, s, c, a, b, y);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const WhereKernels<float>& where_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const WhereKernels<float> table{run<uint8_t>, run<float>};
    return table;
}

}  // namespace lily::kernels
