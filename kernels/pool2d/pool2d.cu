// SPDX-License-Identifier: MIT
// One thread per element of the result. The gradients gather: every x asks the windows that contain it, in
// order, so no two threads add to one place.
#include "kernels/pool2d/pool2d.h"

#include "kernels/common/index.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

// Pool2dShape with its results, for kernels.
struct Pooling {
    int64_t planes, lanes, h, w, out_h, out_w;
    int64_t kernel[2], stride[2], padding[2];

    explicit Pooling(const Pool2dShape& s)
        : planes(s.planes), lanes(s.lanes), h(s.h), w(s.w), out_h(s.out_h()), out_w(s.out_w()) {
        for (size_t axis = 0; axis < 2; ++axis) {
            kernel[axis] = s.kernel[axis];
            stride[axis] = s.stride[axis];
            padding[axis] = s.padding[axis];
        }
    }
    int64_t inputs() const { return planes * h * w * lanes; }
    int64_t outputs() const { return planes * out_h * out_w * lanes; }
};

// Where element `at` of a map of `rows` x `columns` positions lies.
struct Place {
    int64_t plane, row, column, lane;
};
__device__ Place place_of(int64_t at, int64_t rows, int64_t columns, int64_t lanes) {
    const auto [outside, lane] = divide(at, lanes);
    const auto [line, column] = divide(outside, columns);
    const auto [plane, row] = divide(line, rows);
    return {plane, row, column, lane};
}

// Taps [first, last) of output i's window lie inside of an axis of `size`; tap t reads start + t.
struct Window {
    int64_t start, first, last;
};
__device__ Window window(const Pooling& p, int axis, int64_t i) {
    const int64_t size = axis == 0 ? p.h : p.w, start = i * p.stride[axis] - p.padding[axis];
    return {start, start < 0 ? -start : 0, size - start < p.kernel[axis] ? size - start : p.kernel[axis]};
}

// The outputs [first, last) whose windows contain input position x.
struct Range {
    int64_t first, last;
};
__device__ Range outputs_over(const Pooling& p, int axis, int64_t x) {
    const int64_t end = x + p.padding[axis], begin = end - p.kernel[axis] + 1;
    const int64_t most = axis == 0 ? p.out_h : p.out_w, last = end / p.stride[axis] + 1;
    return {begin <= 0 ? 0 : (begin + p.stride[axis] - 1) / p.stride[axis], last < most ? last : most};
}

__global__ void __launch_bounds__(kElementThreads)
    max_kernel(Pooling p, int64_t outputs, const float* x, float* y, uint8_t* index) {
    for (int64_t at = thread_index(); at < outputs; at += thread_count()) {
        const Place y_at = place_of(at, p.out_h, p.out_w, p.lanes);
        const Window rows = window(p, 0, y_at.row), columns = window(p, 1, y_at.column);
        const float* corner =
            x + ((y_at.plane * p.h + rows.start) * p.w + columns.start) * p.lanes + y_at.lane;
        float best = corner[(rows.first * p.w + columns.first) * p.lanes];
        int64_t where = rows.first * p.kernel[1] + columns.first;
        for (int64_t r = rows.first; r < rows.last; ++r)
            for (int64_t q = columns.first; q < columns.last; ++q) {
                const float v = corner[(r * p.w + q) * p.lanes];
                if (v > best || v != v) best = v, where = r * p.kernel[1] + q;
            }
        y[at] = best;
        if (index) index[at] = static_cast<uint8_t>(where);
    }
}

// Windows of 2x2 that do not overlap, the usual ones: a thread loads pairs, and every sector is loaded once.
struct alignas(2 * sizeof(float)) Pair {
    float left, right;
};
bool by_pairs(const Pool2dShape& s, const float* x) {
    const auto all = [](const std::array<int64_t, 2>& v, int64_t n) { return v[0] == n && v[1] == n; };
    return s.lanes == 1 && s.w % 2 == 0 && all(s.kernel, 2) && all(s.stride, 2) && all(s.padding, 0) &&
           reinterpret_cast<uintptr_t>(x) % sizeof(Pair) == 0;
}

// index: of a maximum only, or null
template <bool kMax>
__global__ void __launch_bounds__(kElementThreads)
    pairs_kernel(Pooling p, int64_t outputs, const float* x, float* y, uint8_t* index) {
    for (int64_t at = thread_index(); at < outputs; at += thread_count()) {
        const auto [line, j] = divide(at, p.out_w);
        const auto [plane, i] = divide(line, p.out_h);
        const float* corner = x + (plane * p.h + 2 * i) * p.w + 2 * j;
        const Pair above = *reinterpret_cast<const Pair*>(corner),
                   below = *reinterpret_cast<const Pair*>(corner + p.w);
        const float values[4] = {above.left, above.right, below.left, below.right};
        float result = values[0];
        int where = 0;
        for (int k = 1; k < 4; ++k) {
            if (!kMax) {
                result += values[k];
            } else if (values[k] > result || values[k] != values[k]) {
                result = values[k];
                where = k;
            }
        }
        y[at] = kMax ? result : result * 0.25f;
        if (kMax && index) index[at] = static_cast<uint8_t>(where);
    }
}

// The gradient, for maps of even height too: every x is in one window.
template <bool kMax>
__global__ void __launch_bounds__(kElementThreads)
    pairs_backward_kernel(Pooling p, int64_t outputs, const float* dy, const uint8_t* index, float* dx) {
    for (int64_t at = thread_index(); at < outputs; at += thread_count()) {
        const auto [line, j] = divide(at, p.out_w);
        const auto [plane, i] = divide(line, p.out_h);
        float* corner = dx + (plane * p.h + 2 * i) * p.w + 2 * j;
        const float slope = kMax ? dy[at] : dy[at] * 0.25f;
        const int where = kMax ? index[at] : 0;
        const auto part = [&](int k) { return !kMax || where == k ? slope : 0.0f; };
        const Pair above{part(0), part(1)}, below{part(2), part(3)};  // to be stored as a whole
        *reinterpret_cast<Pair*>(corner) = above;
        *reinterpret_cast<Pair*>(corner + p.w) = below;
    }
}

__global__ void __launch_bounds__(kElementThreads)
    max_scatter_kernel(Pooling p, int64_t inputs, const float* dy, const uint8_t* index, float* dx) {
    for (int64_t at = thread_index(); at < inputs; at += thread_count()) {
        const Place x_at = place_of(at, p.h, p.w, p.lanes);
        const Range rows = outputs_over(p, 0, x_at.row), columns = outputs_over(p, 1, x_at.column);
        float sum = 0;
        for (int64_t i = rows.first; i < rows.last; ++i)
            for (int64_t j = columns.first; j < columns.last; ++j) {
                const int64_t tap = (x_at.row + p.padding[0] - i * p.stride[0]) * p.kernel[1] + x_at.column +
                                    p.padding[1] - j * p.stride[1];
                const int64_t y_at = ((x_at.plane * p.out_h + i) * p.out_w + j) * p.lanes + x_at.lane;
                if (index[y_at] == tap) sum += dy[y_at];
            }
        dx[at] = sum;
    }
}

__global__ void __launch_bounds__(kElementThreads)
    max_gather_kernel(Pooling p, int64_t outputs, const float* x, const uint8_t* index, float* y) {
    for (int64_t at = thread_index(); at < outputs; at += thread_count()) {
        const Place y_at = place_of(at, p.out_h, p.out_w, p.lanes);
        const auto [r, q] = divide(index[at], p.kernel[1]);
        const int64_t row = y_at.row * p.stride[0] - p.padding[0] + r;
        const int64_t column = y_at.column * p.stride[1] - p.padding[1] + q;
        y[at] = x[((y_at.plane * p.h + row) * p.w + column) * p.lanes + y_at.lane];
    }
}

// A window's sum is divided by the product of its two sides.
__device__ float side(const Pooling& p, bool count_padding, int dimension, Window w) {
    return static_cast<float>(count_padding ? p.kernel[dimension] : w.last - w.first);
}

__global__ void __launch_bounds__(kElementThreads)
    mean_kernel(Pooling p, int64_t outputs, bool count_padding, const float* x, float* y) {
    for (int64_t at = thread_index(); at < outputs; at += thread_count()) {
        const Place y_at = place_of(at, p.out_h, p.out_w, p.lanes);
        const Window rows = window(p, 0, y_at.row), columns = window(p, 1, y_at.column);
        const float* corner =
            x + ((y_at.plane * p.h + rows.start) * p.w + columns.start) * p.lanes + y_at.lane;
        float sum = 0;
        for (int64_t r = rows.first; r < rows.last; ++r)
            for (int64_t q = columns.first; q < columns.last; ++q) sum += corner[(r * p.w + q) * p.lanes];
        y[at] = sum / (side(p, count_padding, 0, rows) * side(p, count_padding, 1, columns));
    }
}

__global__ void __launch_bounds__(kElementThreads)
    mean_backward_kernel(Pooling p, int64_t inputs, bool count_padding, const float* dy, float* dx) {
    for (int64_t at = thread_index(); at < inputs; at += thread_count()) {
        const Place x_at = place_of(at, p.h, p.w, p.lanes);
        const Range rows = outputs_over(p, 0, x_at.row), columns = outputs_over(p, 1, x_at.column);
        float sum = 0;
        for (int64_t i = rows.first; i < rows.last; ++i) {
            const float height = side(p, count_padding, 0, window(p, 0, i));
            const float* row = dy + (x_at.plane * p.out_h + i) * p.out_w * p.lanes + x_at.lane;
            for (int64_t j = columns.first; j < columns.last; ++j)
                sum += row[j * p.lanes] / (height * side(p, count_padding, 1, window(p, 1, j)));
        }
        dx[at] = sum;
    }
}

void max(Queue& queue, const Pool2dShape& s, const float* x, float* y, uint8_t* index) {
    const Pooling p(s);
    if (by_pairs(s, x))
        return launch("pool2d", queue, one_thread_each(p.outputs()), pairs_kernel<true>, p, p.outputs(), x, y,
                      index);
    launch("pool2d", queue, one_thread_each(p.outputs()), max_kernel, p, p.outputs(), x, y, index);
}
void max_scatter(Queue& queue, const Pool2dShape& s, const float* dy, const uint8_t* index, float* dx) {
    const Pooling p(s);
    if (by_pairs(s, dx) && s.h % 2 == 0)
        return launch("pool2d", queue, one_thread_each(p.outputs()), pairs_backward_kernel<true>, p,
                      p.outputs(), dy, index, dx);
    launch("pool2d", queue, one_thread_each(p.inputs()), max_scatter_kernel, p, p.inputs(), dy, index, dx);
}
void max_gather(Queue& queue, const Pool2dShape& s, const float* x, const uint8_t* index, float* y) {
    const Pooling p(s);
    launch("pool2d", queue, one_thread_each(p.outputs()), max_gather_kernel, p, p.outputs(), x, index, y);
}
void mean(Queue& queue, const Pool2dShape& s, bool count_padding, const float* x, float* y) {
    const Pooling p(s);
    if (by_pairs(s, x))
        return launch("pool2d", queue, one_thread_each(p.outputs()), pairs_kernel<false>, p, p.outputs(), x,
                      y, nullptr);
    launch("pool2d", queue, one_thread_each(p.outputs()), mean_kernel, p, p.outputs(), count_padding, x, y);
}
void mean_backward(Queue& queue, const Pool2dShape& s, bool count_padding, const float* dy, float* dx) {
    const Pooling p(s);
    if (by_pairs(s, dx) && s.h % 2 == 0)
        return launch("pool2d", queue, one_thread_each(p.outputs()), pairs_backward_kernel<false>, p,
                      p.outputs(), dy, nullptr, dx);
    launch("pool2d", queue, one_thread_each(p.inputs()), mean_backward_kernel, p, p.inputs(), count_padding,
           dy, dx);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const Pool2dKernels<float>& pool2d_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const Pool2dKernels<float> table{LILY_CUDA_DEVICE::max, max_scatter, max_gather, mean,
                                            mean_backward};
    return table;
}

}  // namespace lily::kernels
