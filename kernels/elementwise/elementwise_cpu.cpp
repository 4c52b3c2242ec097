// SPDX-License-Identifier: MIT
#include "kernels/elementwise/elementwise.h"

#include <type_traits>

#include "kernels/common/parallel.h"
#include "kernels/elementwise/functions.h"

namespace lily::kernels {
namespace {

using functions::visit_binary;
using functions::visit_unary;

template <class T>
void unary(Queue&, Unary op, UnaryArguments args, int64_t n, const T* x, T* y) {
    visit_unary<T>(op, args, [=](auto f) {
        parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
            const auto local = f;  // in registers: y might be f, for all the compiler knows
            for (int64_t i = begin; i < end; ++i) y[i] = local.value(x[i]);
        });
    });
}

template <class T>
void unary_backward(Queue&, Unary op, UnaryArguments args, int64_t n, const T* x, const T* y, const T* dy,
                    T* dx) {
    // An input that f' ignores may be null: read dy in its place.
    const T* from_x = x ? x : dy;
    const T* from_y = y ? y : dy;
    visit_unary<T>(op, args, [=](auto f) {
        parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
            const auto local = f;
            for (int64_t i = begin; i < end; ++i) dx[i] = local.gradient(from_x[i], from_y[i], dy[i]);
        });
    });
}

// One innermost run of n elements, strides 0 or 1 (or any, in the last loop). N: int64_t or a constant.
template <class T, class F, class N>
void binary_row(F f, N n, int64_t a_stride, int64_t b_stride, const T* a, const T* b, T* z) {
    if (a_stride == 1 && b_stride == 1)
        for (int64_t i = 0; i < n; ++i) z[i] = f(a[i], b[i]);
    else if (a_stride == 1 && b_stride == 0)
        for (int64_t i = 0; i < n; ++i) z[i] = f(a[i], *b);
    else if (a_stride == 0 && b_stride == 1)
        for (int64_t i = 0; i < n; ++i) z[i] = f(*a, b[i]);
    else
        for (int64_t i = 0; i < n; ++i) z[i] = f(a[i * a_stride], b[i * b_stride]);
}

template <class T>
void binary(Queue&, Binary op, const BroadcastShape& shape, const T* a, const T* b, T* z) {
    const int inner = shape.rank - 1;
    const int64_t n = shape.rank == 0 ? 1 : shape.size[inner];
    const int64_t a_step = shape.rank == 0 ? 0 : shape.a_stride[inner],
                  b_step = shape.rank == 0 ? 0 : shape.b_stride[inner];
    int64_t rows = 1;
    for (int d = 0; d < inner; ++d) rows *= shape.size[d];
    if (n == 0 || rows == 0) return;
    const int64_t group = inner > 0 ? shape.size[inner - 1] : 1;  // rows at even distances
    const int64_t a_row = inner > 0 ? shape.a_stride[inner - 1] : 0,
                  b_row = inner > 0 ? shape.b_stride[inner - 1] : 0;
    visit_binary<T>(op, [&](auto f) {
        if (rows == 1)
            return parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
                binary_row<T>(f, end - begin, a_step, b_step, a + begin * a_step, b + begin * b_step,
                              z + begin);
            });
        const int64_t rows_per_piece = std::max<int64_t>(1, kGrain / n);
        parallel_for(rows, rows_per_piece, [=, &shape](int64_t begin, int64_t end) {
            for (int64_t row = begin, count; row < end; row += count) {
                int64_t rest = row, a_at = 0, b_at = 0;
                for (int d = inner - 1; d >= 0; --d) {
                    const int64_t i = rest % shape.size[d];
                    rest /= shape.size[d];
                    a_at += i * shape.a_stride[d];
                    b_at += i * shape.b_stride[d];
                }
                count = std::min(end - row, group - row % group);
                const auto of_width = [&](auto width) {
                    for (int64_t i = 0; i < count; ++i)
                        binary_row<T>(f, width, a_step, b_step, a + a_at + i * a_row, b + b_at + i * b_row,
                                      z + (row + i) * n);
                };
                if (n == 16)  // a block of channels
                    of_width(std::integral_constant<int64_t, 16>{});
                else if (n == 8)
                    of_width(std::integral_constant<int64_t, 8>{});
                else
                    of_width(n);
            }
        });
    });
}

template <class T>
void affine(Queue&, int64_t n, T scale, T shift, const T* x, T* y) {
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) y[i] = scale * x[i] + shift;
    });
}

}  // namespace

template <class T>
const ElementwiseKernels<T>& elementwise(Device device) {
    static const ElementwiseKernels<T> cpu{unary<T>, unary_backward<T>, binary<T>, affine<T>};
    return choose(
        "elementwise", device, cpu, [](auto gpu) -> const auto& { return elementwise_on(gpu); });
}
template const ElementwiseKernels<float>& elementwise(Device);
template const ElementwiseKernels<double>& elementwise(Device);

}  // namespace lily::kernels
