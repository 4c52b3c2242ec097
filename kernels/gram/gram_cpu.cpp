// SPDX-License-Identifier: MIT
// G is symmetric: only blocks on and above the diagonal are computed, then mirrored. The positions are cut
// into pieces whose sums are added in order, so that the bits do not depend on the number of threads.
#include "kernels/gram/gram.h"

#include <algorithm>

#include "kernels/common/sum_terms.h"
#include "kernels/gram/gram_tiles_cpu.h"
#include "kernels/matmul/matmul.h"

namespace lily::kernels {
namespace {

constexpr int64_t kChunk = 256;  // positions summed in registers; C·256 floats stay in the second-level cache
constexpr int64_t kTasks = 16;   // per sample, to share out among threads
constexpr int64_t kStrip = 60;   // positions of a task backward: a multiple of 6 and 12
constexpr int64_t kDepth = 128;  // channels whose weights stay in the first-level cache

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

// G = scale · Σ of the pieces' partial sums (N, pieces, rows, rows), rows >= C, filled above the diagonal.
void add_pieces(const GramShape& s, int64_t rows, int64_t pieces, const float* partial, float* g) {
    const int64_t c = s.channels, size = rows * rows;
    parallel_for(s.n * c, std::max<int64_t>(1, kGrain / c), [=](int64_t begin, int64_t end) {
        const float scale = static_cast<float>(s.scale);
        for (int64_t row = begin; row < end; ++row) {
            const int64_t at = row / c, i = row % c;
            float* out = g + row * c;
            const float* from = partial + at * pieces * size + i * rows;
            for (int64_t j = i; j < c; ++j) out[j] = pieces > 0 ? from[j] : 0;
            for (int64_t piece = 1; piece < pieces; ++piece)
                for (int64_t j = i; j < c; ++j) out[j] += from[piece * size + j];
            for (int64_t j = i; j < c; ++j) out[j] *= scale;
        }
    });
    constexpr int64_t kTile = 16;  // mirrored tile by tile: rows and columns of a tile fit into the cache
    parallel_for(s.n * ceil_div(c, kTile), 4, [=](int64_t begin, int64_t end) {
        for (int64_t strip = begin; strip < end; ++strip) {
            float* matrix = g + strip / ceil_div(c, kTile) * c * c;
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

// Some positions of a plain map f (C, M), of `channels`, as (blocks, kChunk, B); missing channels are 0.
template <int B>
void pack(int64_t channels, int64_t positions, const float* f, int64_t f_stride, float* packed) {
    for (int64_t first = 0; first < channels; first += B)
        for (int64_t m = 0; m < positions; m += 16) {
            const int64_t width = std::min<int64_t>(16, positions - m),
                          height = std::min<int64_t>(B, channels - first);
            float tile[B][16] = {};  // read row by row: each line of memory once
            for (int64_t l = 0; l < height; ++l)
                for (int64_t i = 0; i < width; ++i) tile[l][i] = f[(first + l) * f_stride + m + i];
            float* out = packed + first * kChunk + m * B;
            for (int64_t i = 0; i < width; ++i)
                for (int64_t l = 0; l < B; ++l) out[i * B + l] = tile[l][i];
        }
}

// f blocked by B, or plain: then every chunk is packed first.
template <int B, int R, int V>
void forward_tiled(Queue& queue, const GramShape& s, const float* f, float* g) {
    const int64_t c = s.channels, m = s.positions, blocks = ceil_div(c, B), size = blocks * B * blocks * B;
    const Plan plan(s, blocks);
    const auto scratch = queue.scratch<float>(s.n * plan.pieces * size);
    float* partial = scratch.data();
    const int64_t packed_size = s.block == B ? 0 : blocks * B * kChunk;
    const auto packing = queue.scratch<float>(max_threads() * packed_size);
    parallel_for(s.n * plan.pieces * plan.groups, 1, [&](int64_t begin, int64_t end) {
        float* packed = packing.data() + thread_number() * packed_size;
        for (int64_t task = begin; task < end; ++task) {
            const int64_t group = task % plan.groups, at = task / plan.groups / plan.pieces;
            const int64_t first = task / plan.groups % plan.pieces * plan.length;
            const int64_t last = std::min(m, first + plan.length);
            for (int64_t chunk = first; chunk < last; chunk += kChunk) {
                const int64_t positions = std::min(kChunk, last - chunk);
                const float* from = s.block == B ? f + at * c * m + chunk * B : packed;
                if (s.block != B) pack<B>(c, positions, f + at * c * m + chunk, m, packed);
                for (int64_t i = 0; i < blocks; ++i) {
                    // groups take turns forth and back, because the last rows are short
                    const int64_t turn = i % (2 * plan.groups);
                    if (std::min(turn, 2 * plan.groups - 1 - turn) != group) continue;
                    block_row<B, R, V>(i, blocks, positions, from, (s.block == B ? m : kChunk) * B,
                                       chunk > first, partial + task / plan.groups * size);
                }
            }
        }
    });
    add_pieces(s, blocks * B, plan.pieces, partial, g);
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

// Some positions of a map f (C/B, M, B) in the order of their use: slices of (positions/P, channels/B, P, B),
// each with room for kStrip positions.
template <int B, int P>
void pack_strip(int64_t positions, const Slices& slices, const float* f, int64_t f_stride, float* packed) {
    for (int64_t k = 0; k < slices.channels; k += B) {
        const int64_t slice = slices.first_of(k), depth = slices.size(slice);
        float* to = packed + slice * kStrip + (k - slice) * P;
        for (int64_t i = 0; i < positions; ++i)
            lanes<B>(to + i / P * depth * P + i % P * B) = lanes<B>(f + k * f_stride + i * B);
    }
}

// df = scale (dG + dGᵀ) f in strips of positions; P of them by V blocks of channels in registers.
template <int B, int P, int V>
void backward_blocked(Queue& queue, const GramShape& s, const float* f, const float* dg, float* df) {
    const int64_t c = s.channels, m = s.positions, strips = ceil_div(m, kStrip);
    // Blocks at distances of a power of two share a few sets of the cache, which hold 128 channels at most.
    const bool packs = c > 128;
    const int64_t packed_size = packs ? c * kStrip : 0;
    const Slices slices{c, kDepth};
    const auto scratch = queue.scratch<float>(s.n * c * c + max_threads() * packed_size);
    float *sum = scratch.data(), *packing = sum + s.n * c * c;
    symmetric<B>(s, dg, sum);
    const BlockStrides stride{.a = packs ? P * B : m * B, .w = B * B, .w_next = c * B, .out = m * B};
    parallel_for(s.n * strips, 1, [=](int64_t begin, int64_t end) {
        float* packed = packing + thread_number() * packed_size;
        const auto nothing = [] { return NothingAhead{}; };
        for (int64_t task = begin; task < end; ++task) {
            const int64_t at = task / strips, first = task % strips * kStrip;
            const int64_t positions = std::min(kStrip, m - first), offset = at * c * m + first * B;
            if (packs) pack_strip<B, P>(positions, slices, f + offset, m, packed);
            for (int64_t block = 0; block < c / B;) {
                const bool wide = block + V <= c / B;
                float* out = df + offset + block * m * B;
                for (int64_t k = 0; k < c; k += kDepth) {
                    const int64_t depth = slices.size(k), next = packs ? depth * P : P * B;
                    const float* rows = packs ? packed + k * kStrip : f + offset;
                    const float* w = sum + at * c * c + (block * c + k) * B;
                    wide
                        ? product_rows<B, P, V>(positions, depth, stride, rows, next, w, k > 0, out, nothing)
                        : product_rows<B, P, 1>(positions, depth, stride, rows, next, w, k > 0, out, nothing);
                }
                block += wide ? V : 1;
            }
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
    if (s.block == 8 || (s.block == 1 && s.channels <= 8))
        return wide ? forward_tiled<8, 8, 2>(queue, s, f, g) : forward_tiled<8, 4, 2>(queue, s, f, g);
    return wide ? forward_tiled<16, 8, 2>(queue, s, f, g) : forward_tiled<16, 4, 1>(queue, s, f, g);
}

void backward_f32(Queue& queue, const GramShape& s, const float* f, const float* dg, float* df) {
    if (s.n * s.channels * s.positions == 0) return;
    const bool wide = cpu_isa() == Isa::avx512;
    if (s.block == 16)
        return wide ? backward_blocked<16, 12, 2>(queue, s, f, dg, df)
                    : backward_blocked<16, 6, 1>(queue, s, f, dg, df);
    if (s.block == 8)
        return wide ? backward_blocked<8, 12, 2>(queue, s, f, dg, df)
                    : backward_blocked<8, 6, 2>(queue, s, f, dg, df);
    backward_plain(queue, s, f, dg, df);
}

// Where channel c of sample n begins; its positions are s.block elements apart.
int64_t channel_offset(const GramShape& s, int64_t n, int64_t c) {
    return n * s.channels * s.positions + c / s.block * s.positions * s.block + c % s.block;
}

void forward_f64(Queue&, const GramShape& s, const double* f, double* g) {
    for (int64_t n = 0; n < s.n; ++n)
        for (int64_t i = 0; i < s.channels; ++i)
            for (int64_t j = 0; j < s.channels; ++j) {
                const double* fi = f + channel_offset(s, n, i);
                const double* fj = f + channel_offset(s, n, j);
                double total = 0;
                for (int64_t m = 0; m < s.positions; ++m) total += fi[m * s.block] * fj[m * s.block];
                g[(n * s.channels + i) * s.channels + j] = s.scale * total;
            }
}

void backward_f64(Queue&, const GramShape& s, const double* f, const double* dg, double* df) {
    for (int64_t n = 0; n < s.n; ++n)
        for (int64_t i = 0; i < s.channels; ++i) {
            double* dfi = df + channel_offset(s, n, i);
            for (int64_t m = 0; m < s.positions; ++m) dfi[m * s.block] = 0;
            for (int64_t j = 0; j < s.channels; ++j) {
                const double* fj = f + channel_offset(s, n, j);
                const double* slope = dg + n * s.channels * s.channels;
                const double weight = s.scale * (slope[i * s.channels + j] + slope[j * s.channels + i]);
                for (int64_t m = 0; m < s.positions; ++m) dfi[m * s.block] += weight * fj[m * s.block];
            }
        }
}

// The matrices are small beside the maps: what a GPU does in one pass is two here.
template <class T, auto kForward>
void distance(Queue& queue, const GramShape& s, double weight, const T* f, const T* target, T* difference,
              T* y) {
    kForward(queue, s, f, difference);
    const auto square = [=](int64_t i) {
        difference[i] -= target[i];
        return static_cast<double>(difference[i]) * static_cast<double>(difference[i]);
    };
    *y = static_cast<T>(weight * sum_terms(queue, s.n * s.channels * s.channels, square));
}

template <class T, auto kBackward>
void distance_backward(Queue& queue, const GramShape& s, double weight, const T* f, const T* difference,
                       const T* dy, T* df) {
    GramShape steeper = s;
    steeper.scale *= 2 * weight * static_cast<double>(*dy);
    kBackward(queue, steeper, f, difference, df);
}

}  // namespace

template <class T>
const GramKernels<T>& gram(Device device) {
    static const GramKernels<T> cpu = [] {
        if constexpr (std::is_same_v<T, float>)
            return GramKernels<float>{forward_f32, backward_f32, distance<float, forward_f32>,
                                      distance_backward<float, backward_f32>};
        else
            return GramKernels<double>{forward_f64, backward_f64, distance<double, forward_f64>,
                                       distance_backward<double, backward_f64>};
    }();
    return choose(
        "gram", device, cpu, [](auto gpu) -> const auto& { return gram_on(gpu); });
}
template const GramKernels<float>& gram(Device);
template const GramKernels<double>& gram(Device);

}  // namespace lily::kernels
