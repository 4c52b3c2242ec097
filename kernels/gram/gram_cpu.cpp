// SPDX-License-Identifier: MIT
// G is symmetric: only blocks on and above the diagonal are computed, then mirrored. The positions are cut
// into pieces whose sums are added in order, so that the bits do not depend on the number of threads.
#include "kernels/gram/gram.h"

#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/gram/gram_tiles_cpu.h"
#include "kernels/matmul/matmul.h"
#include "kernels/matmul/sgemm_cpu.h"

namespace lily::kernels {
namespace {

constexpr int64_t kChunk = 256;  // positions summed in registers; C·256 floats stay in the second-level cache
constexpr int64_t kTasks = 16;   // per sample, to share out among threads

int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// How one sample's work is cut: by rows of G and by positions.
struct Plan {
    int64_t groups, pieces, length;  // length: positions per piece

    // rows: units of rows of G that are not cut further
    Plan(const GramShape& s, int64_t rows) {
        groups = std::clamp<int64_t>(rows / 8, 1, kTasks / 2);
        const int64_t chunks = ceil_div(s.positions, kChunk);
        length = kChunk * std::max<int64_t>(1, ceil_div(chunks, kTasks / groups));
        pieces = ceil_div(s.positions, length);
    }
};

// G = scale · Σ of the pieces' partial sums (n, pieces, C, C), of which what is above the diagonal is filled.
void add_pieces(const GramShape& s, int64_t pieces, const float* partial, float* g) {
    const int64_t c = s.channels, size = c * c;
    parallel_for(s.n * c, std::max<int64_t>(1, kGrain / c), [=](int64_t begin, int64_t end) {
        const float scale = static_cast<float>(s.scale);
        for (int64_t row = begin; row < end; ++row) {
            const int64_t at = row / c, i = row % c;
            float* out = g + at * size + i * c;
            const float* from = partial + at * pieces * size + i * c;
            for (int64_t j = i; j < c; ++j) out[j] = pieces > 0 ? from[j] : 0;
            for (int64_t piece = 1; piece < pieces; ++piece)
                for (int64_t j = i; j < c; ++j) out[j] += from[piece * size + j];
            for (int64_t j = i; j < c; ++j) out[j] *= scale;
        }
    });
    constexpr int64_t kTile = 16;  // mirrored tile by tile: rows and columns of a tile fit into the cache
    parallel_for(s.n * ceil_div(c, kTile), 4, [=](int64_t begin, int64_t end) {
        for (int64_t strip = begin; strip < end; ++strip) {
            float* matrix = g + strip / ceil_div(c, kTile) * size;
            const int64_t first = strip % ceil_div(c, kTile) * kTile, last = std::min(c, first + kTile);
            for (int64_t above = 0; above <= first; above += kTile)
                for (int64_t i = first; i < last; ++i)
                    for (int64_t j = above; j < std::min(i, above + kTile); ++j)
                        matrix[i * c + j] = matrix[j * c + i];
        }
    });
}

// Block row `i` of G, from the diagonal on, over some positions. f (C/B, M, B) at the first of the positions.
template <int B, int R, int V>
void block_row(int64_t i, int64_t blocks, int64_t positions, const float* f, int64_t f_stride, bool add,
               float* g) {
    const int64_t c = blocks * B;
    int64_t j = i;
    for (; j + V <= blocks; j += V)
        for (int r = 0; r < B; r += R)
            gram_tiles::forward_tile<B, R, V>(positions, f + i * f_stride + r, f + j * f_stride, f_stride,
                                              add, g + (i * B + r) * c + j * B, c);
    for (; j < blocks; ++j)
        for (int r = 0; r < B; r += R)
            gram_tiles::forward_tile<B, R, 1>(positions, f + i * f_stride + r, f + j * f_stride, f_stride,
                                              add, g + (i * B + r) * c + j * B, c);
}

template <int B, int R, int V>
void forward_blocked(Queue& queue, const GramShape& s, const float* f, float* g) {
    const int64_t c = s.channels, m = s.positions, blocks = c / B, f_stride = m * B;
    const Plan plan(s, blocks);
    const auto scratch = queue.scratch<float>(s.n * plan.pieces * c * c);
    float* partial = scratch.data();
    parallel_for(s.n * plan.pieces * plan.groups, 1, [=](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
            const int64_t group = task % plan.groups, at = task / plan.groups / plan.pieces;
            const int64_t first = task / plan.groups % plan.pieces * plan.length;
            const int64_t last = std::min(m, first + plan.length);
            float* sums = partial + task / plan.groups * c * c;
            for (int64_t chunk = first; chunk < last; chunk += kChunk)
                for (int64_t i = 0; i < blocks; ++i) {
                    // groups take turns forth and back, because rows near the diagonal's end are short
                    const int64_t turn = i % (2 * plan.groups);
                    if (std::min(turn, 2 * plan.groups - 1 - turn) != group) continue;
                    block_row<B, R, V>(i, blocks, std::min(kChunk, last - chunk), f + at * c * m + chunk * B,
                                       f_stride, chunk > first, sums);
                }
        }
    });
    add_pieces(s, plan.pieces, partial, g);
}

// f (N, C, M): strips of rows from the diagonal on, by oneDNN.
void forward_plain(Queue& queue, const GramShape& s, const float* f, float* g) {
    constexpr int64_t kStrip = 64;
    const int64_t c = s.channels, m = s.positions, strips = ceil_div(c, kStrip);
    const Plan plan(s, strips);
    const auto scratch = queue.scratch<float>(s.n * plan.pieces * c * c);
    float* partial = scratch.data();
    parallel_for(s.n * plan.pieces * strips, 1, [=](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
            const int64_t row = task % strips * kStrip, first = task / strips % plan.pieces * plan.length;
            const float* from = f + task / strips / plan.pieces * c * m + row * m + first;
            sgemm_one_thread(false, true, std::min(kStrip, c - row), c - row,
                             std::min(plan.length, m - first), from, m, from, m, 0,
                             partial + task / strips * c * c + row * c + row, c);
        }
    });
    add_pieces(s, plan.pieces, partial, g);
}

// scale (dG + dGᵀ) as (N, C/B, C, B); B = 0: as (N, C, C).
template <int B>
void symmetric(const GramShape& s, const float* dg, float* sum) {
    constexpr int64_t kWidth = B == 0 ? 16 : B;
    const int64_t c = s.channels, strips = ceil_div(c, kWidth);
    parallel_for(s.n * strips, 1, [=](int64_t begin, int64_t end) {
        const float scale = static_cast<float>(s.scale);
        for (int64_t strip = begin; strip < end; ++strip) {
            const int64_t at = strip / strips * c * c, first = strip % strips * kWidth;
            const int64_t width = std::min(kWidth, c - first);
            const float* from = dg + at;
            float* out = sum + at + (B == 0 ? first : first * c);
            for (int64_t k = 0; k < c; ++k)
                for (int64_t l = 0; l < width; ++l)
                    out[k * (B == 0 ? c : kWidth) + l] =
                        scale * (from[k * c + first + l] + from[(first + l) * c + k]);
        }
    });
}

// Strips of P positions times all channels.
template <int B, int P, int V>
void positions_backward(int64_t begin, int64_t end, int64_t c, const float* f, int64_t f_stride,
                        const float* sum, float* df) {
    const int64_t blocks = c / B;
    for (int64_t block = 0; block < blocks;) {
        const int64_t width = block + V <= blocks ? V : 1;
        const float* s = sum + block * c * B;
        float* out = df + block * f_stride;
        for (int64_t p = begin; p < end; p += P) {
            // the last tile begins earlier instead of being shorter
            const int64_t at = std::max(begin, std::min(p, end - P)) * B;
            if (end - begin < P)
                for (int64_t single = begin; single < end; ++single)
                    for (int64_t v = 0; v < width; ++v)
                        gram_tiles::backward_tile<B, 1, 1>(c, f + single * B, f_stride, s + v * c * B,
                                                           out + v * f_stride + single * B);
            else if (width == V)
                gram_tiles::backward_tile<B, P, V>(c, f + at, f_stride, s, out + at);
            else
                gram_tiles::backward_tile<B, P, 1>(c, f + at, f_stride, s, out + at);
        }
        block += width;
    }
}

template <int B, int P, int V>
void backward_blocked(Queue& queue, const GramShape& s, const float* f, const float* dg, float* df) {
    const int64_t c = s.channels, m = s.positions, per_sample = ceil_div(m, kChunk / 4);
    const auto scratch = queue.scratch<float>(s.n * c * c);
    float* sum = scratch.data();
    symmetric<B>(s, dg, sum);
    parallel_for(s.n * per_sample, 1, [=](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) {
            const int64_t at = task / per_sample, first = task % per_sample * (kChunk / 4);
            positions_backward<B, P, V>(first, std::min(m, first + kChunk / 4), c, f + at * c * m, m * B,
                                        sum + at * c * c, df + at * c * m);
        }
    });
}

void backward_plain(Queue& queue, const GramShape& s, const float* f, const float* dg, float* df) {
    const int64_t c = s.channels, m = s.positions;
    const auto sum = queue.scratch<float>(s.n * c * c);
    symmetric<0>(s, dg, sum.data());
    MatmulShape product = matmul_shape(c, m, c);
    product.batch = s.n;
    product.a_stride = c * c;
    product.b_stride = product.c_stride = c * m;
    matmul<float>(queue.device()).product(queue, product, sum.data(), f, 0, df);
}

void forward_f32(Queue& queue, const GramShape& s, const float* f, float* g) {
    if (s.n * s.channels == 0) return;
    const bool wide = cpu_isa() == Isa::avx512;  // 32 registers instead of 16
    if (s.block == 16)
        return wide ? forward_blocked<16, 8, 2>(queue, s, f, g) : forward_blocked<16, 4, 1>(queue, s, f, g);
    if (s.block == 8)
        return wide ? forward_blocked<8, 8, 2>(queue, s, f, g) : forward_blocked<8, 4, 2>(queue, s, f, g);
    forward_plain(queue, s, f, g);
}

void backward_f32(Queue& queue, const GramShape& s, const float* f, const float* dg, float* df) {
    if (s.n * s.channels * s.positions == 0) return;
    const bool wide = cpu_isa() == Isa::avx512;
    if (s.block == 16)
        return wide ? backward_blocked<16, 8, 2>(queue, s, f, dg, df)
                    : backward_blocked<16, 4, 1>(queue, s, f, dg, df);
    if (s.block == 8)
        return wide ? backward_blocked<8, 8, 2>(queue, s, f, dg, df)
                    : backward_blocked<8, 4, 2>(queue, s, f, dg, df);
    backward_plain(queue, s, f, dg, df);
}

// Where (channel, position) of a sample lies.
int64_t offset(const GramShape& s, int64_t channel, int64_t position) {
    return (channel / s.block * s.positions + position) * s.block + channel % s.block;
}

void forward_f64(Queue&, const GramShape& s, const double* f, double* g) {
    for (int64_t n = 0; n < s.n; ++n)
        for (int64_t i = 0; i < s.channels; ++i)
            for (int64_t j = 0; j < s.channels; ++j) {
                const double* sample = f + n * s.channels * s.positions;
                double total = 0;
                for (int64_t m = 0; m < s.positions; ++m)
                    total += sample[offset(s, i, m)] * sample[offset(s, j, m)];
                g[(n * s.channels + i) * s.channels + j] = s.scale * total;
            }
}

void backward_f64(Queue&, const GramShape& s, const double* f, const double* dg, double* df) {
    for (int64_t n = 0; n < s.n; ++n)
        for (int64_t i = 0; i < s.channels; ++i)
            for (int64_t m = 0; m < s.positions; ++m) {
                const double* sample = f + n * s.channels * s.positions;
                const double* slope = dg + n * s.channels * s.channels;
                double total = 0;
                for (int64_t j = 0; j < s.channels; ++j)
                    total +=
                        (slope[i * s.channels + j] + slope[j * s.channels + i]) * sample[offset(s, j, m)];
                df[n * s.channels * s.positions + offset(s, i, m)] = s.scale * total;
            }
}

}  // namespace

template <class T>
const GramKernels<T>& gram(Device device) {
    static const GramKernels<T> cpu = [] {
        if constexpr (std::is_same_v<T, float>)
            return GramKernels<float>{forward_f32, backward_f32};
        else
            return GramKernels<double>{forward_f64, backward_f64};
    }();
    return choose("gram", device, Implementations<GramKernels<T>>{.cpu = &cpu});
}
template const GramKernels<float>& gram(Device);
template const GramKernels<double>& gram(Device);

}  // namespace lily::kernels
