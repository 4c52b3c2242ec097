// SPDX-License-Identifier: MIT
#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/linear/activation.h"
#include "kernels/linear/linear_fast.h"
#include "kernels/linear/linear_tiles.h"

namespace lily::kernels::fast_linear {
namespace {

// run(std::integral_constant<int, B>) with B floats to a vector.
template <class Run>
void with_vectors(const Run& run) {
    if (cpu_isa() == Isa::avx512) return run(std::integral_constant<int, 16>{});
    run(std::integral_constant<int, 8>{});
}

// body(task, thread) for each; few multiplications are not worth a fork.
template <int B, class Body>
void each_task(int64_t tasks, double multiplications, const Body& body) {
    constexpr double kTooFewToSplit = 3e5;
    parallel_tasks<B>(tasks, multiplications >= kTooFewToSplit, body);
}

// --- forward
// ------------------------------------------------------------------------------------------------

constexpr int64_t kChunk = 8 * kTileRows;  // outputs of one task
constexpr int64_t kLongest = 4096;         // values of k per run: a panel of them stays in the second cache

// z (kChunk, kPanel) of a panel's rows and some outputs, turned, with scale, bias and f, into y.
template <int B>
inline void finish(const LinearShape& s, LinearActivation activation, const float* z, int64_t row,
                   int64_t rows, int64_t out, int64_t outs, const float* bias, float* y) {
    for (int64_t r = 0; r < rows; r += B)
        for (int64_t o = 0; o < outs; o += B) {
            float* to = y + (row + r) * s.out + out + o;
            if (r + B <= rows && o + B <= outs) {
                Vector<B> square[B];
                for (int i = 0; i < B; ++i) square[i] = lanes<B>(z + (o + i) * kPanel<B> + r);
                transpose<B>(square);
                for (int i = 0; i < B; ++i) lanes<B>(to + i * s.out) = square[i];
                continue;
            }
            for (int64_t i = 0; i < std::min<int64_t>(B, rows - r); ++i)
                for (int64_t j = 0; j < std::min<int64_t>(B, outs - o); ++j)
                    to[i * s.out + j] = z[(o + j) * kPanel<B> + r + i];
        }
    const float scale = static_cast<float>(s.weight_scale);
    visit_activation<float>(activation, [&](auto f) {
        for (int64_t r = row; r < row + rows; ++r) {
            float* line = y + r * s.out + out;
            for (int64_t o = 0; o < outs; ++o)
                line[o] = f.value(bias ? scale * line[o] + bias[out + o] : scale * line[o]);
        }
    });
}

template <int B>
void forward_with(Queue& queue, const LinearShape& s, LinearActivation f, const float* x, const float* weight,
                  const float* bias, float* y) {
    const int64_t panels = ceil_div(s.rows, kPanel<B>), chunks = ceil_div(s.out, kChunk);
    const double work = double(s.rows) * double(s.in) * double(s.out);
    const auto scratch = queue.scratch<float>(panels * s.in * kPanel<B>);
    float* packed = scratch.data();
    each_task<B>(panels, work, [=](int64_t panel, int64_t) {
        const int64_t row = panel * kPanel<B>, rows = std::min<int64_t>(kPanel<B>, s.rows - row);
        pack_turned<B>(x + row * s.in, s.in, rows, s.in, packed + panel * s.in * kPanel<B>);
    });
    each_task<B>(panels * chunks, work, [=](int64_t task, int64_t) {
        const int64_t panel = task / chunks, out = task % chunks * kChunk;
        const int64_t row = panel * kPanel<B>, rows = std::min<int64_t>(kPanel<B>, s.rows - row);
        const int64_t outs = std::min(kChunk, s.out - out);
        alignas(64) float z[kChunk * kPanel<B>];
        for (int64_t k = 0; k == 0 || k < s.in; k += kLongest)
            with_vectors_for<B>(rows, [&](auto vectors) {
                each_tile(outs, [&](auto height, int64_t o) {
                    product_to<B, height.value, vectors.value>(
                        std::min(kLongest, s.in - k), row_factor(weight, s.in).at(out + o, k),
                        packed + (panel * s.in + k) * kPanel<B>, kPanel<B>, k > 0, vectors.value * B,
                        z + o * kPanel<B>, kPanel<B>);
                });
            });
        finish<B>(s, f, z, row, rows, out, outs, bias, y);
    });
}

// --- backward
// -----------------------------------------------------------------------------------------------

// C (m, n) = A B, A (m, depth) by strides, B (depth, n) row by row.
struct Product {
    int64_t m, n, depth;
    Factor a;
    const float* b;
    float* c;

    static constexpr int64_t kRows = 32 * kTileRows;  // of C, per task
    template <int B>
    int64_t tasks() const {
        return c ? ceil_div(m, kRows) * ceil_div(n, kPanel<B>) : 0;
    }
    double work() const { return c ? double(m) * double(n) * double(depth) : 0; }
    int64_t run_length() const { return c ? std::min(kDepth, depth) : 0; }

    template <int B>
    void run(int64_t task, float* packed) const {
        const int64_t row_groups = ceil_div(m, kRows);
        const int64_t column = task / row_groups * kPanel<B>, row = task % row_groups * kRows;
        const int64_t width = std::min<int64_t>(kPanel<B>, n - column), rows = std::min(kRows, m - row);
        for (int64_t k = 0; k == 0 || k < depth; k += kDepth) {
            const int64_t length = std::min(kDepth, depth - k);
            pack_rows<B>(b + k * n + column, n, width, length, packed);  // b's lie on a page each
            with_vectors_for<B>(width, [&](auto vectors) {
                each_tile(rows, [&](auto height, int64_t i) {
                    product_to<B, height.value, vectors.value>(length, a.at(row + i, k), packed, kPanel<B>,
                                                               k > 0, width, c + (row + i) * n + column, n);
                });
            });
        }
    }
};

template <int B>
void products_with(Queue& queue, const Product& dx, const Product& dw) {
    const int64_t size = std::max(dx.run_length(), dw.run_length()) * kPanel<B>;
    const auto scratch = queue.scratch<float>(max_threads() * size);
    float* packed = scratch.data();
    const int64_t first = dw.tasks<B>();
    each_task<B>(first + dx.tasks<B>(), dw.work() + dx.work(), [=](int64_t task, int64_t thread) {
        const Product& which = task < first ? dw : dx;
        which.run<B>(task < first ? task : task - first, packed + thread * size);
    });
}

}  // namespace

void forward(Queue& queue, LinearShape s, LinearActivation f, const float* x, const float* weight,
             const float* bias, float* y) {
    if (s.rows == 0 || s.out == 0) return;
    with_vectors([&](auto lanes) { forward_with<lanes.value>(queue, s, f, x, weight, bias, y); });
}

void products(Queue& queue, LinearShape s, const float* x, const float* weight, const float* dz,
              const float* turned_dz, float* dx, float* dweight) {
    const bool any_x = dx && s.rows > 0 && s.in > 0, any_weight = dweight && s.out > 0 && s.in > 0;
    with_vectors([&](auto lanes) {
        products_with<lanes.value>(
            queue, {s.rows, s.in, s.out, row_factor(dz, s.out), weight, any_x ? dx : nullptr},
            {s.out, s.in, s.rows, turned_factor(turned_dz, s.rows), x, any_weight ? dweight : nullptr});
    });
}

}  // namespace lily::kernels::fast_linear
