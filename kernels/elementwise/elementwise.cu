// SPDX-License-Identifier: MIT
#include "kernels/elementwise/elementwise.h"

#include "kernels/common/index.h"
#include "kernels/common/packs.h"
#include "kernels/elementwise/functions.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

template <class F>
struct Value {
    F f;
    __device__ float operator()(float x) const { return f.value(x); }
};
// dx = f'(x) dy
template <class F>
struct Gradient {
    F f;
    __device__ float operator()(float x, float y, float dy) const { return f.gradient(x, y, dy); }
    // v: x or y, whichever f' uses
    __device__ float operator()(float v, float dy) const { return f.gradient(v, v, dy); }
};
struct Affine {
    float scale, shift;
    __device__ float operator()(float x) const { return scale * x + shift; }
};

void unary(Queue& queue, Unary op, UnaryArguments args, int64_t n, const float* x, float* y) {
    functions::visit_unary<float>(op, args,
                                  [&](auto f) { map("elementwise", queue, n, Value<decltype(f)>{f}, y, x); });
}

void unary_backward(Queue& queue, Unary op, UnaryArguments args, int64_t n, const float* x, const float* y,
                    const float* dy, float* dx) {
    functions::visit_unary<float>(op, args, [&](auto f) {
        const Gradient<decltype(f)> gradient{f};
        if (x && y) return map("elementwise", queue, n, gradient, dx, x, y, dy);
        map("elementwise", queue, n, gradient, dx, x ? x : y ? y : dy, dy);
    });
}

// z in row-major order; element i of it reads a and b at places that its coordinates give.
template <class F>
__global__ void __launch_bounds__(kElementThreads)
    broadcast_kernel(int64_t n, BroadcastShape shape, F f, const float* a, const float* b, float* z) {
    for (int64_t i = thread_index(); i < n; i += thread_count()) {
        int64_t rest = i, a_at = 0, b_at = 0;
        for (int d = shape.rank - 1; d >= 0; --d) {
            const auto [above, at] = divide(rest, shape.size[d]);
            a_at += at * shape.a_stride[d];
            b_at += at * shape.b_stride[d];
            rest = above;
        }
        z[i] = f(a[a_at], b[b_at]);
    }
}

void binary(Queue& queue, Binary op, const BroadcastShape& shape, const float* a, const float* b, float* z) {
    int64_t n = 1;
    for (int d = 0; d < shape.rank; ++d) n *= shape.size[d];
    functions::visit_binary<float>(op, [&](auto f) {
        if (shape.rank == 1 && shape.a_stride[0] == 1 && shape.b_stride[0] == 1)
            return map("elementwise", queue, n, f, z, a, b);
        launch("elementwise", queue, one_thread_each(n), broadcast_kernel<decltype(f)>, n, shape, f, a, b, z);
    });
}

void affine(Queue& queue, int64_t n, float scale, float shift, const float* x, float* y) {
    map("elementwise", queue, n, Affine{scale, shift}, y, x);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const ElementwiseKernels<float>& elementwise_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const ElementwiseKernels<float> table{unary, unary_backward, binary, affine};
    return table;
}

}  // namespace lily::kernels
