// SPDX-License-Identifier: MIT
// Winograd's convolution on blocked maps (kernels/conv2d/winograd.h has the maths). Some tiles at a time,
// few enough for their transforms to stay in cache:
//   1. each 6x6 patch of x, B channels wide, becomes 36 vectors:  v[element][c/B][tile][B]
//   2. for each element a product over the input channels:        m[element][k/B][tile][B] = u[element] v
//   3. the 36 vectors of m become 4x4 outputs; bias and ReLU on the way.
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
    bool relu;

    int64_t tiles_h() const { return (out_h + kTile - 1) / kTile; }
    int64_t tiles_w() const { return (out_w + kTile - 1) / kTile; }
    int64_t tiles() const { return n * tiles_h() * tiles_w(); }
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
inline void transform_patches(const Problem& p, const float* x, int64_t first, int64_t count, int64_t stride,
                              int64_t element, float* v) {
    for (int64_t block = 0; block < p.in / B; ++block)
        for (int64_t i = 0; i < count; ++i) {
            const Place at = place_of(p, first + i);
            const float* plane = x + (at.n * (p.in / B) + block) * p.h * p.w * B;
            const int64_t row = at.row - p.pad_h, column = at.column - p.pad_w;
            float* to = v + (block * stride + i) * B;
            if (row >= 0 && column >= 0 && row + kPatch <= p.h && column + kPatch <= p.w)
                patch_to_elements<B, true>(p, plane, row, column, to, element);
            else
                patch_to_elements<B, false>(p, plane, row, column, to, element);
        }
}

// m[element][block][tile] for the output blocks [first, last), P tiles by V blocks at a time. So many input
// channels at once that their weights stay in the first-level cache while the tiles go by.
template <int B, int P, int V>
inline void multiply(const Problem& p, const float* u, const float* v, int64_t first, int64_t last,
                     int64_t count, int64_t stride, int64_t v_element, int64_t m_element, float* m) {
    constexpr int64_t kDepth = 128;
    for (int64_t e = 0; e < kElements; ++e, v += v_element, m += m_element)
        for (int64_t block = first; block < last;) {
            const int64_t width = block + V <= last ? V : 1;
            for (int64_t c = 0; c < p.in; c += kDepth) {
                const int64_t depth = std::min(kDepth, p.in - c), w_stride = p.in * B;
                const float* weights = u + ((e * (p.out / B) + block) * p.in + c) * B;
                const float* from = v + c * stride;
                float* to = m + (block - first) * stride * B;
                for (int64_t i = 0; i < count;) {
                    const int64_t at = i * B;
                    if (i + P <= count && width == V) {
                        product_tile<B, P, V>(depth, from + at, stride * B, weights, w_stride, c > 0,
                                              to + at);
                        i += P;
                    } else if (i + P <= count) {
                        product_tile<B, P, 1>(depth, from + at, stride * B, weights, w_stride, c > 0,
                                              to + at);
                        i += P;
                    } else {
                        for (int64_t k = 0; k < width; ++k)
                            product_tile<B, 1, 1>(depth, from + at, stride * B, weights + k * w_stride,
                                                  w_stride, c > 0, to + k * stride * B + at);
                        ++i;
                    }
                }
            }
            block += width;
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
inline void transform_tiles(const Problem& p, const float* m, const float* bias, int64_t first_block,
                            int64_t last_block, int64_t first, int64_t count, int64_t stride, int64_t element,
                            float* y) {
    for (int64_t block = first_block; block < last_block; ++block) {
        Vector<B> shift{};
        if (bias) shift = lanes<B>(bias + block * B);
        for (int64_t i = 0; i < count; ++i) {
            const Place at = place_of(p, first + i);
            float* to = y + (((at.n * (p.out / B) + block) * p.out_h + at.row) * p.out_w + at.column) * B;
            elements_to_tile<B>(m + ((block - first_block) * stride + i) * B, element, shift, p.relu,
                                p.out_h - at.row, p.out_w - at.column, p.out_w, to);
        }
    }
}

// How the work is cut. Larger pieces use each transformed weight more often, smaller ones stay in cache; from
// 24 tiles on it makes little difference (VGG-19's layers, AVX2).
struct Cut {
    int64_t tiles;   // of one task
    int64_t blocks;  // of output channels of one task: all, unless there are too few tiles for the threads
};
constexpr int64_t kLeastTiles = 24, kMostTiles = 48, kBlocksOfM = 16;

inline Cut cut(int64_t tiles, int64_t blocks) {
    const auto ceil_div = [](int64_t n, int64_t d) { return (n + d - 1) / d; };
    const int64_t threads = max_threads();
    if (tiles < threads * kLeastTiles) return {std::min(tiles, kMostTiles), ceil_div(blocks, threads)};
    const int64_t pieces = ceil_div(ceil_div(tiles, kMostTiles), threads) * threads;
    return {ceil_div(tiles, pieces), blocks};
}

template <int B, int P, int V>
void convolve(Queue& queue, const Problem& p, const float* x, const float* u, const float* bias, float* y) {
    const int64_t blocks = p.out / B;
    const Cut task_size = cut(p.tiles(), blocks);
    const int64_t stride = task_size.tiles, parts = (blocks + task_size.blocks - 1) / task_size.blocks;
    const int64_t v_element = padded(p.in * stride);
    const int64_t m_element = padded(std::min(kBlocksOfM, task_size.blocks) * B * stride);
    const int64_t floats = kElements * (v_element + m_element);
    const auto scratch = queue.scratch<float>(max_threads() * floats);
    parallel_tasks((p.tiles() + stride - 1) / stride * parts, [&](int64_t task, int64_t thread) {
        const int64_t first = task / parts * stride, count = std::min(stride, p.tiles() - first);
        const int64_t first_block = task % parts * task_size.blocks;
        const int64_t last_block = std::min(blocks, first_block + task_size.blocks);
        float* v = scratch.data() + thread * floats;
        float* m = v + kElements * v_element;
        transform_patches<B>(p, x, first, count, stride, v_element, v);
        for (int64_t block = first_block; block < last_block; block += kBlocksOfM) {
            const int64_t end = std::min(last_block, block + kBlocksOfM);
            multiply<B, P, V>(p, u, v, block, end, count, stride, v_element, m_element, m);
            transform_tiles<B>(p, m, bias, block, end, first, count, stride, m_element, y);
        }
    });
}

class WinogradConv2d final : public CpuConv2dPlan {
  public:
    WinogradConv2d(const Conv2dShape& s, Conv2dPass p) : CpuConv2dPlan(s, p) {
        algorithm = flipped() ? "winograd flipped" : "winograd";
        x_layout = conv2d_layout(s.c);
        y_layout = conv2d_layout(s.k);
        packed_bytes = kElements * s.k * s.c * static_cast<int64_t>(sizeof(float));
        packing = uint64_t{1} << 62 | static_cast<uint64_t>(x_layout << 1) | (flipped() ? 1 : 0);
    }

    void pack(Queue&, const float* w, void* packed) const override {
        pack_winograd_weights(x_layout, flipped() ? shape.c : shape.k, flipped() ? shape.k : shape.c,
                              flipped(), w, static_cast<float*>(packed));
    }

    void forward(Queue& queue, const float* x, const float* w, const float* bias, float* y) const override {
        const Conv2dShape& s = shape;
        run(queue,
            {s.n, s.c, s.h, s.w, s.k, s.out_h(), s.out_w(), s.padding[0], s.padding[1],
             pass == Conv2dPass::forward_relu},
            x, w, bias, y);
    }

    void backward_data(Queue& queue, const float* dy, const float* w, float* dx) const override {
        const Conv2dShape& s = shape;
        run(queue, {s.n, s.k, s.out_h(), s.out_w(), s.c, s.h, s.w, 2 - s.padding[0], 2 - s.padding[1], false},
            dy, w, nullptr, dx);
    }

  private:
    bool flipped() const { return pass == Conv2dPass::backward_data; }
    void run(Queue& queue, const Problem& p, const float* x, const float* w, const float* bias,
             float* y) const {
        // tiles by blocks of sums in registers: 24 of 32 with AVX-512, 12 of 16 with AVX2
        if (x_layout == 16)
            convolve<16, 12, 2>(queue, p, x, w, bias, y);
        else
            convolve<8, 6, 2>(queue, p, x, w, bias, y);
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
