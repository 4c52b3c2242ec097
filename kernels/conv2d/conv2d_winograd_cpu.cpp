// SPDX-License-Identifier: MIT
// Winograd's convolution on blocked maps (kernels/conv2d/winograd.h has the maths). Some tiles at a time,
// few enough for their transforms to stay in cache:
//   1. each 6x6 patch of the input, B channels wide, becomes 36 vectors, one of each element v
//   2. for each element a product over the input channels, m = u v
//   3. the 36 vectors of m become 4x4 outputs; bias and ReLU on the way.
// Both passes use one copy of the transformed weights, u[element][c/B][k/B][c%B][k%B]. Forward, its vectors
// of k are summed for each tile; backward data sums over k, so there the vectors run over tiles:
//   forward          m[k/B][tile][k%B] = Σ_c v[c/B][tile][c%B] u[…]     v, m: (blocks, tiles, B)
//   backward data    m[tile/B][c][tile%B] = Σ_k u[…] v[tile/B][k][tile%B]   v, m: (tiles/B, channels, B)
// Every output is summed in one order, whatever the number of threads.
#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/conv2d/conv2d_plans.h"
#include "kernels/conv2d/winograd.h"

namespace lily::kernels {
namespace {

using winograd::kElements, winograd::kPatch, winograd::kTile;

// The convolution that a plan comes down to; for backward data x is dy and y is dx.
struct Problem {
    int64_t n, in, h, w, out, out_h, out_w, pad_h, pad_w;
    bool relu, backward;

    int64_t tiles_h() const { return (out_h + kTile - 1) / kTile; }
    int64_t tiles_w() const { return (out_w + kTile - 1) / kTile; }
    int64_t tiles() const { return n * tiles_h() * tiles_w(); }
};

// What one task computes: tiles [first, first + count) of blocks [first_block, last_block) of the output.
struct Piece {
    int64_t first, count, stride;  // stride: tiles that v and m have room for
    int64_t v_element, m_element;  // floats between elements
    int64_t first_block, last_block;
};

// Where a tile lies: which picture, and its first output.
struct Place {
    int64_t n, row, column;
};
inline Place place_of(const Problem& p, int64_t tile) {
    const int64_t row = tile / p.tiles_w();
    return {row / p.tiles_h(), row % p.tiles_h() * kTile, tile % p.tiles_w() * kTile};
}

// Elements of v and m lie a row of cache lines apart that is odd in number: 36 streams at distances of a
// power of two would all fall into the same few sets of the cache.
inline int64_t padded(int64_t floats) { return (floats + 15) / 16 * 16 + (floats / 16 % 2 == 0 ? 16 : 32); }

// v = Bᵀ d B for the patch at (row, column), of which the part outside of the picture is zero.
template <int B, bool kInside>
inline void patch_to_elements(const Problem& p, const float* x, int64_t row, int64_t column, float* v,
                              int64_t element) {
    Vector<B> t[kPatch][kPatch];  // Bᵀ d
    for (int s = 0; s < kPatch; ++s) {
        Vector<B> d[kPatch], transformed[kPatch];
        for (int r = 0; r < kPatch; ++r) {
            const bool there =
                kInside || (row + r >= 0 && row + r < p.h && column + s >= 0 && column + s < p.w);
            d[r] = Vector<B>{};
            if (there) d[r] = lanes<B>(x + ((row + r) * p.w + column + s) * B);
        }
        winograd::transform_input(d, transformed);
        for (int r = 0; r < kPatch; ++r) t[r][s] = transformed[r];
    }
    for (int r = 0; r < kPatch; ++r) {
        Vector<B> row_of_v[kPatch];
        winograd::transform_input(t[r], row_of_v);
        for (int s = 0; s < kPatch; ++s) lanes<B>(v + (r * kPatch + s) * element) = row_of_v[s];
    }
}

template <int B>
inline void transform_patch(const Problem& p, const float* x, int64_t block, int64_t tile, float* v,
                            int64_t element) {
    const Place at = place_of(p, tile);
    const float* plane = x + (at.n * (p.in / B) + block) * p.h * p.w * B;
    const int64_t row = at.row - p.pad_h, column = at.column - p.pad_w;
    if (row >= 0 && column >= 0 && row + kPatch <= p.h && column + kPatch <= p.w)
        patch_to_elements<B, true>(p, plane, row, column, v, element);
    else
        patch_to_elements<B, false>(p, plane, row, column, v, element);
}

// v = (blocks, tiles, B)
template <int B>
inline void transform_patches(const Problem& p, const Piece& piece, const float* x, float* v) {
    for (int64_t block = 0; block < p.in / B; ++block)
        for (int64_t i = 0; i < piece.count; ++i)
            transform_patch<B>(p, x, block, piece.first + i, v + (block * piece.stride + i) * B,
                               piece.v_element);
}

// v = (tiles/B, channels, B), by way of the elements of B tiles side by side.
template <int B>
inline void transform_patches_across(const Problem& p, const Piece& piece, const float* x, float* v) {
    alignas(64) float side_by_side[kElements][B][B];
    for (int64_t group = 0; group < piece.count; group += B)
        for (int64_t block = 0; block < p.in / B; ++block) {
            const int64_t tiles = std::min<int64_t>(B, piece.count - group);
            for (int64_t i = 0; i < tiles; ++i)
                transform_patch<B>(p, x, block, piece.first + group + i, side_by_side[0][i], B * B);
            for (int e = 0; e < kElements; ++e) {
                Vector<B> rows[B];
                for (int i = 0; i < B; ++i) rows[i] = lanes<B>(side_by_side[e][i < tiles ? i : 0]);
                transpose<B>(rows);
                float* to = v + e * piece.v_element + (group * p.in / B + block * B) * B;
                for (int i = 0; i < B; ++i) lanes<B>(to + i * B) = rows[i];
            }
        }
}

// So many input channels at once that their weights stay in the first-level cache while the tiles go by.
constexpr int64_t kDepth = 128;

// m (blocks, tiles, B): P tiles by V blocks at a time.
template <int B, int P, int V>
inline void multiply(const Problem& p, const Piece& piece, const float* u, const float* v, float* m) {
    const int64_t group = winograd_group(B, p.out);
    const BlockStrides stride{.a = piece.stride * B, .w = group, .w_next = B * B, .out = piece.stride * B};
    const auto tiles = [&]<int Blocks>(int64_t depth, bool add, const float* from, const float* w,
                                       float* to) {
        int64_t i = 0;
        for (; i + P <= piece.count; i += P)
            product_tile<B, P, Blocks>(depth, stride, from + i * B, w, add, to + i * B);
        for (; i + 2 <= piece.count; i += 2)
            product_tile<B, 2, Blocks>(depth, stride, from + i * B, w, add, to + i * B);
        for (; i < piece.count; ++i)
            product_tile<B, 1, Blocks>(depth, stride, from + i * B, w, add, to + i * B);
    };
    for (int64_t block = piece.first_block; block < piece.last_block;) {
        const bool wide = block + V <= piece.last_block;
        for (int64_t c = 0; c < p.in; c += kDepth) {
            const int64_t depth = std::min(kDepth, p.in - c);
            const float *from = v + c * piece.stride, *w = u + c / B * group + block * B * B;
            float* to = m + (block - piece.first_block) * piece.stride * B;
            wide ? tiles.template operator()<V>(depth, c > 0, from, w, to)
                 : tiles.template operator()<1>(depth, c > 0, from, w, to);
        }
        block += wide ? V : 1;
    }
}

// m (tiles/B, channels, B): P channels by V groups of tiles at a time; P divides B.
template <int B, int P, int V>
inline void multiply_across(const Problem& p, const Piece& piece, const float* u, const float* v, float* m) {
    const int64_t rows = (piece.last_block - piece.first_block) * B, groups = (piece.count + B - 1) / B;
    const BlockStrides stride{.a = B * B, .w = B * B, .w_next = p.in * B, .out = rows * B};
    for (int64_t block = piece.first_block; block < piece.last_block; ++block)
        for (int64_t k = 0; k < p.in; k += kDepth) {
            const int64_t depth = std::min(kDepth, p.in - k);
            const float* from = u + block * winograd_group(B, p.in) + k * B;
            float* to = m + (block - piece.first_block) * B * B;
            for (int64_t group = 0; group < groups;) {
                const int64_t width = std::min<int64_t>(V, groups - group);
                const float* w = v + (group * p.in + k) * B;
                for (int c = 0; c < B; c += P) {
                    float* sums = to + group * rows * B + c * B;
                    if (width == 3)
                        product_tile<B, P, 3>(depth, stride, from + c * B, w, k > 0, sums);
                    else if (width == 2)
                        product_tile<B, P, 2>(depth, stride, from + c * B, w, k > 0, sums);
                    else
                        product_tile<B, P, 1>(depth, stride, from + c * B, w, k > 0, sums);
                }
                group += width;
            }
        }
}

// y = Aᵀ m A + bias for the tile whose first output is `y` with `rows` x `columns` inside of the picture.
template <int B>
inline void elements_to_tile(const float* m, int64_t element, const Vector<B>& bias, bool relu, int64_t rows,
                             int64_t columns, int64_t out_w, float* y) {
    Vector<B> t[kTile][kPatch];  // Aᵀ m
    for (int s = 0; s < kPatch; ++s) {
        Vector<B> column[kPatch], transformed[kTile];
        for (int r = 0; r < kPatch; ++r) column[r] = lanes<B>(m + (r * kPatch + s) * element);
        winograd::transform_output(column, transformed);
        for (int r = 0; r < kTile; ++r) t[r][s] = transformed[r];
    }
    for (int r = 0; r < kTile; ++r) {
        if (r >= rows) break;
        Vector<B> out[kTile];
        winograd::transform_output(t[r], out);
        for (int s = 0; s < kTile; ++s) {
            out[s] += bias;
            if (relu) out[s] = out[s] < 0 ? Vector<B>{} : out[s];  // NaN stays NaN
            if (s < columns) lanes<B>(y + (r * out_w + s) * B) = out[s];
        }
    }
}

template <int B>
inline void transform_tile(const Problem& p, const float* m, int64_t element, const float* bias,
                           int64_t block, int64_t tile, float* y) {
    Vector<B> shift{};
    if (bias) shift = lanes<B>(bias + block * B);
    const Place at = place_of(p, tile);
    float* to = y + (((at.n * (p.out / B) + block) * p.out_h + at.row) * p.out_w + at.column) * B;
    elements_to_tile<B>(m, element, shift, p.relu, p.out_h - at.row, p.out_w - at.column, p.out_w, to);
}

// of m (blocks, tiles, B)
template <int B>
inline void transform_tiles(const Problem& p, const Piece& piece, const float* m, const float* bias,
                            float* y) {
    for (int64_t block = piece.first_block; block < piece.last_block; ++block)
        for (int64_t i = 0; i < piece.count; ++i)
            transform_tile<B>(p, m + ((block - piece.first_block) * piece.stride + i) * B, piece.m_element,
                              bias, block, piece.first + i, y);
}

// of m (tiles/B, channels, B), by way of the elements of B tiles side by side.
template <int B>
inline void transform_tiles_across(const Problem& p, const Piece& piece, const float* m, float* y) {
    alignas(64) float side_by_side[kElements][B][B];
    const int64_t rows = (piece.last_block - piece.first_block) * B;
    for (int64_t group = 0; group < piece.count; group += B)
        for (int64_t block = piece.first_block; block < piece.last_block; ++block) {
            for (int e = 0; e < kElements; ++e) {
                const float* from =
                    m + e * piece.m_element + (group / B * rows + (block - piece.first_block) * B) * B;
                Vector<B> vectors[B];
                for (int i = 0; i < B; ++i) vectors[i] = lanes<B>(from + i * B);
                transpose<B>(vectors);
                for (int i = 0; i < B; ++i) lanes<B>(side_by_side[e][i]) = vectors[i];
            }
            const int64_t tiles = std::min<int64_t>(B, piece.count - group);
            for (int64_t i = 0; i < tiles; ++i)
                transform_tile<B>(p, side_by_side[0][i], B * B, nullptr, block, piece.first + group + i, y);
        }
}

// How the work is cut. Larger pieces use each transformed weight more often, smaller ones stay in cache; from
// 24 tiles on it makes little difference (VGG-19's layers, AVX2).
struct Cut {
    int64_t tiles;   // of one task
    int64_t blocks;  // of output channels of one task: all, unless there are too few tiles for the threads
};
constexpr int64_t kLeastTiles = 24, kMostTiles = 48, kBlocksOfM = 16;

inline int64_t ceil_div(int64_t n, int64_t d) { return (n + d - 1) / d; }

inline Cut cut(int64_t tiles, int64_t blocks) {
    const int64_t threads = max_threads();
    if (tiles < threads * kLeastTiles) return {std::min(tiles, kMostTiles), ceil_div(blocks, threads)};
    const int64_t pieces = ceil_div(ceil_div(tiles, kMostTiles), threads) * threads;
    return {ceil_div(tiles, pieces), blocks};
}

// P tiles by V blocks of sums in registers forward, Q channels by W groups of tiles backward.
template <int B, int P, int V, int Q, int W>
void convolve(Queue& queue, const Problem& p, const float* x, const float* u, const float* bias, float* y) {
    const int64_t blocks = p.out / B;
    const Cut task_size = cut(p.tiles(), blocks);
    const int64_t stride = ceil_div(task_size.tiles, B) * B, parts = ceil_div(blocks, task_size.blocks);
    const int64_t v_element = padded(p.in * stride);
    const int64_t m_element = padded(std::min(kBlocksOfM, task_size.blocks) * B * stride);
    const int64_t floats = kElements * (v_element + m_element);
    const int64_t u_element =
        p.backward ? blocks * winograd_group(B, p.in) : p.in / B * winograd_group(B, p.out);
    const auto scratch = queue.scratch<float>(max_threads() * floats);
    parallel_tasks(ceil_div(p.tiles(), task_size.tiles) * parts, [&](int64_t task, int64_t thread) {
        const int64_t first = task / parts * task_size.tiles;
        const int64_t first_block = task % parts * task_size.blocks;
        const int64_t last_block = std::min(blocks, first_block + task_size.blocks);
        float* v = scratch.data() + thread * floats;
        float* m = v + kElements * v_element;
        Piece piece{
            first, std::min(task_size.tiles, p.tiles() - first), stride, v_element, m_element, first_block,
            0};
        p.backward ? transform_patches_across<B>(p, piece, x, v) : transform_patches<B>(p, piece, x, v);
        for (; piece.first_block < last_block; piece.first_block += kBlocksOfM) {
            piece.last_block = std::min(last_block, piece.first_block + kBlocksOfM);
            for (int e = 0; e < kElements; ++e) {
                const int of_u = winograd::kTurned[e / kPatch] * kPatch + winograd::kTurned[e % kPatch];
                if (p.backward)
                    multiply_across<B, Q, W>(p, piece, u + of_u * u_element, v + e * v_element,
                                             m + e * m_element);
                else
                    multiply<B, P, V>(p, piece, u + e * u_element, v + e * v_element, m + e * m_element);
            }
            p.backward ? transform_tiles_across<B>(p, piece, m, y) : transform_tiles<B>(p, piece, m, bias, y);
        }
    });
}

class WinogradConv2d final : public CpuConv2dPlan {
  public:
    WinogradConv2d(const Conv2dShape& s, Conv2dPass p) : CpuConv2dPlan(s, p) {
        algorithm = "winograd";
        x_layout = conv2d_layout(s.c);
        y_layout = conv2d_layout(s.k);
        packed_bytes = kElements * (s.c / x_layout) * winograd_group(x_layout, s.k) * 4;
        packing = uint64_t{1} << 62 | static_cast<uint64_t>(x_layout);
    }

    void pack(Queue&, const float* w, void* packed) const override {
        pack_winograd_weights(x_layout, shape.k, shape.c, w, static_cast<float*>(packed));
    }

    void forward(Queue& queue, const float* x, const float* w, const float* bias, float* y) const override {
        const Conv2dShape& s = shape;
        run(queue,
            {s.n, s.c, s.h, s.w, s.k, s.out_h(), s.out_w(), s.padding[0], s.padding[1],
             pass == Conv2dPass::forward_relu, false},
            x, w, bias, y);
    }

    void backward_data(Queue& queue, const float* dy, const float* w, float* dx) const override {
        const Conv2dShape& s = shape;
        run(queue,
            {s.n, s.k, s.out_h(), s.out_w(), s.c, s.h, s.w, 2 - s.padding[0], 2 - s.padding[1], false, true},
            dy, w, nullptr, dx);
    }

  private:
    void run(Queue& queue, const Problem& p, const float* x, const float* w, const float* bias,
             float* y) const {
        // 24 of 32 registers hold sums with AVX-512, 12 of 16 with AVX2
        if (x_layout == 16)
            convolve<16, 12, 2, 8, 3>(queue, p, x, w, bias, y);
        else
            convolve<8, 6, 2, 4, 3>(queue, p, x, w, bias, y);
    }
};

}  // namespace

bool winograd_conv2d_fits(const Conv2dShape& s) {
    const std::array<int64_t, 2> ones{1, 1};
    return conv2d_layout(s.c) > 1 && conv2d_layout(s.k) > 1 && s.r == 3 && s.s == 3 && s.stride == ones &&
           s.dilation == ones && s.groups == 1 && s.padding[0] <= 2 && s.padding[1] <= 2;
}

std::unique_ptr<CpuConv2dPlan> make_winograd_conv2d(const Conv2dShape& s, Conv2dPass pass) {
    return std::make_unique<WinogradConv2d>(s, pass);
}

}  // namespace lily::kernels
