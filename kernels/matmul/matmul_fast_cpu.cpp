// SPDX-License-Identifier: MIT
// The innermost loop of a linear layer (kernels/linear/linear_tiles.h) for matrices of any strides. Every
// element of C is one sum over k, in order, so a row of C has the same bits beside any other rows.
#include "kernels/matmul/matmul_fast.h"

#include "kernels/common/parallel.h"
#include "kernels/linear/linear_tiles.h"

namespace lily::kernels::fast_matmul {
namespace {

constexpr int64_t kRows = 32 * kTileRows;    // of C, per task
constexpr int64_t kFewRows = 2 * kTileRows;  // of C: to copy B would cost more than to multiply it

// One matrix of the batch.
struct Product {
    const MatmulShape& s;
    const float *a, *b;
    float* c;
    bool add;  // to c

    // op(A)'s rows [row, row + rows) and k in [first, first + length). Of Aᵀ a copy, in which the values of a
    // tile lie side by side: (⌈rows / kTileRows⌉, length, kTileRows).
    Factor left(int64_t row, int64_t rows, int64_t first, int64_t length, float* turned) const {
        if (!s.transpose_a) return {a + row * s.lda + first, kTileRows * s.lda, s.lda, 1};
        constexpr int64_t kLines =
            8;  // of A at once: where lda is a power of two they share a set of the cache
        for (int64_t k = 0; k < length; k += kLines)
            for (int64_t tile = 0; tile < rows; tile += kTileRows) {
                const float* from = a + (first + k) * s.lda + row + tile;
                float* to = turned + tile * length + k * kTileRows;
                const int64_t lines = std::min(kLines, length - k), height = rows - tile;
                for (int64_t i = 0; i < lines; ++i, from += s.lda, to += kTileRows)
                    height < kTileRows ? std::copy_n(from, height, to) : std::copy_n(from, kTileRows, to);
            }
        return turned_factor(turned, length);
    }

    // op(B)'s columns [column, column + width) and k in [first, first + length), side by side.
    template <int B>
    void pack(int64_t column, int64_t width, int64_t first, int64_t length, float* packed) const {
        if (s.transpose_b)
            pack_turned<B>(b + column * s.ldb + first, s.ldb, width, length, packed);
        else
            pack_rows<B>(b + first * s.ldb + column, s.ldb, width, length, packed);
    }

    // C's rows from `row` on and columns [column, last), with memory of one thread for the copies.
    template <int B>
    void run(int64_t row, int64_t column, int64_t last, float* packed, float* turned) const {
        const int64_t rows = std::min(kRows, s.m - row);
        for (int64_t k = 0; k < s.k; k += kDepth) {
            const int64_t length = std::min(kDepth, s.k - k);
            const Factor factor = left(row, rows, k, length, turned);
            for (int64_t j = column; j < last; j += kPanel<B>) {
                const int64_t width = std::min<int64_t>(kPanel<B>, last - j);
                const bool in_place = !s.transpose_b && rows <= kFewRows && width == kPanel<B>;
                if (!in_place) pack<B>(j, width, k, length, packed);
                const float* right = in_place ? b + k * s.ldb + j : packed;
                const int64_t step = in_place ? s.ldb : kPanel<B>;
                with_vectors_for<B>(width, [&](auto vectors) {
                    each_tile(rows, [&](auto height, int64_t i) {
                        product_to<B, height.value, vectors.value>(length, factor.at(i, 0), right, step,
                                                                   add || k > 0, width,
                                                                   c + (row + i) * s.ldc + j, s.ldc);
                    });
                });
            }
        }
    }
};

// C = beta C
void scale(const MatmulShape& s, float beta, float* c) {
    parallel_for(s.batch * s.m, std::max<int64_t>(1, kGrain / s.n), [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            float* line = c + row / s.m * s.c_stride + row % s.m * s.ldc;
            for (int64_t j = 0; j < s.n; ++j) line[j] = beta == 0 ? 0 : beta * line[j];
        }
    });
}

template <int B>
void product_with(Queue& queue, const MatmulShape& s, const float* a, const float* b, bool add, float* c) {
    constexpr double kTooFewToSplit = 3e5;  // multiplications
    const int64_t rows = ceil_div(s.m, kRows), of_task = (s.transpose_a ? 4 : 1) * kPanel<B>;
    const int64_t columns = ceil_div(s.n, of_task);
    const int64_t depth = std::min(kDepth, s.k), packed_size = depth * kPanel<B>;
    const int64_t size = packed_size + (s.transpose_a ? depth * kRows : 0);
    const auto scratch = queue.scratch<float>(max_threads() * size);
    float* const memory = scratch.data();
    const double work = double(s.batch) * double(s.m) * double(s.n) * double(s.k);
    parallel_tasks<B>(s.batch * columns * rows, work >= kTooFewToSplit, [&](int64_t task, int64_t thread) {
        const int64_t at = task / (columns * rows);
        float* packed = memory + thread * size;
        const Product one{s, a + at * s.a_stride, b + at * s.b_stride, c + at * s.c_stride, add};
        const int64_t column = task / rows % columns * of_task;
        one.run<B>(task % rows * kRows, column, std::min(s.n, column + of_task), packed,
                   packed + packed_size);
    });
}

}  // namespace

void product(Queue& queue, const MatmulShape& s, const float* a, const float* b, float beta, float* c) {
    if (s.batch == 0 || s.m == 0 || s.n == 0) return;
    if (s.k == 0) return scale(s, beta, c);
    if (s.n == 1 && s.m > 1 && s.ldc == 1) {  // a column lies in memory as a row does: Cᵀ = op(B)ᵀ op(A)ᵀ
        const MatmulShape turned{1,     s.m, s.k,     !s.transpose_b, !s.transpose_a, s.ldb,
                                 s.lda, s.m, s.batch, s.b_stride,     s.a_stride,     s.c_stride};
        return product(queue, turned, b, a, beta, c);
    }
    if (beta != 0 && beta != 1) scale(s, beta, c);
    if (cpu_isa() == Isa::avx512)
        product_with<16>(queue, s, a, b, beta != 0, c);
    else
        product_with<8>(queue, s, a, b, beta != 0, c);
}

}  // namespace lily::kernels::fast_matmul
