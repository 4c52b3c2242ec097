// SPDX-License-Identifier: MIT
#include "kernels/compare/compare.h"

#include "kernels/common/index.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

__global__ void __launch_bounds__(kElementThreads)
    compare_kernel(int64_t n, Comparison op, BroadcastShape shape, const int64_t* a, const int64_t* b,
                   uint8_t* z) {
    for (int64_t i = thread_index(); i < n; i += thread_count()) {
        int64_t rest = i, a_at = 0, b_at = 0;
        for (int d = shape.rank - 1; d >= 0; --d) {
            const auto [above, at] = divide(rest, shape.size[d]);
            a_at += at * shape.a_stride[d];
            b_at += at * shape.b_stride[d];
            rest = above;
        }
        z[i] = holds(op, a[a_at], b[b_at]);
    }
}

void run(Queue& queue, Comparison op, const BroadcastShape& shape, const int64_t* a, const int64_t* b,
         uint8_t* z) {
    const int64_t n = product(shape.rank, shape.size);
    launch("compare", queue, one_thread_each(n), compare_kernel, n, op, shape, a, b, z);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const CompareKernels& compare_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const CompareKernels table{run};
    return table;
}

}  // namespace lily::kernels
