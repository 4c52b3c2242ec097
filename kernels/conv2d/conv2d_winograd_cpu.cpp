// SPDX-License-Identifier: MIT
// Winograd's convolution on blocked maps (kernels/conv2d/winograd.h has the maths), cut by tiles. Some tiles
// at a time, few enough for their transforms to stay in cache:
//   1. each 6x6 patch of the input, B channels wide, becomes 36 vectors, one of each element v
//   2. for each element a product over the input channels, m = u v
//   3. the 36 vectors of m become 4x4 outputs; bias, ReLU and pooling on the way. Tiles that are not finite
//      are computed again, by the definition.
// A ReLU's and a pooling's gradient are taken in the first stage of backward data, so that neither the map
// between a convolution and its pooling nor its gradient is ever in memory.
// Every output is summed in one order, whatever the number of threads.
#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/conv2d/conv2d_plans.h"
#include "kernels/conv2d/winograd_by_filters.h"
#include "kernels/conv2d/winograd_direct.h"
#include "kernels/conv2d/winograd_patches.h"
#include "kernels/conv2d/winograd_products.h"
#include "kernels/conv2d/winograd_tiles.h"

namespace lily::kernels {
namespace {

using namespace winograd;

// How the work is cut: tiles of one task, and blocks of output channels of one task: all, unless there are
// too few tiles for the threads.
struct TaskSize {
    int64_t tiles, blocks;
};
constexpr int64_t kBlocksOfM = 16;
// So many input channels at once that their weights stay in the first-level cache while the tiles go by.
constexpr int64_t kDepth = 128;

// Larger pieces use each weight more often, smaller ones share out more evenly.
TaskSize task_size_for(int64_t tiles, int64_t blocks) {
    const int64_t threads = max_threads();
    if (tiles < threads * 24) return {std::min<int64_t>(tiles, 64), ceil_div(blocks, threads)};
    TaskSize best{0, blocks};
    int64_t least = INT64_MAX;  // tiles of the thread that has most to do
    for (const int64_t size : {64, 48, 32}) {
        const int64_t most = ceil_div(ceil_div(tiles, size), threads) * size;
        if (most < least) least = most, best.tiles = size;
    }
    return best;
}

template <bool kBackward, int B, class Input, class Output>
void convolve(Queue& queue, const Problem& p, const Input& in, const Conv2dWeights<float>& w,
              const Output& out) {
    const int64_t blocks = p.out / B;
    const Slices slices{p.in, kDepth};
    const TaskSize task_size = task_size_for(p.tiles(), blocks);
    constexpr int64_t kGroup = kBackward ? B : kTilesAtOnce<B>;
    const int64_t stride = ceil_div(task_size.tiles, kGroup) * kGroup,
                  parts = ceil_div(blocks, task_size.blocks);
    const int64_t v_element = padded(p.in * stride);
    const int64_t m_element = padded(std::min(kBlocksOfM, task_size.blocks) * B * stride);
    const int64_t floats = kElements * (v_element + m_element);
    const int64_t u_element = kBackward ? weight_element(B, p.in, p.out) : weight_element(B, p.out, p.in);
    const auto* u = static_cast<const float*>(w.packed);
    const auto weights = [&](int e) { return u + (kBackward ? turned(e) : e) * u_element; };
    const auto scratch = queue.scratch<float>(max_threads() * floats);
    const auto broken = queue.scratch<uint8_t>(blocks * p.tiles());
    parallel_tasks<B>(ceil_div(p.tiles(), task_size.tiles) * parts, true, [&](int64_t task, int64_t thread) {
        const int64_t first = task / parts * task_size.tiles;
        const int64_t first_block = task % parts * task_size.blocks;
        const int64_t last_block = std::min(blocks, first_block + task_size.blocks);
        float* v = scratch.data() + thread * floats;
        float* m = v + kElements * v_element;
        Piece piece{
            first, std::min(task_size.tiles, p.tiles() - first), stride, v_element, m_element, first_block,
            0};
        if constexpr (kBackward)
            transform_patches_across<B>(p, piece, slices, in, 0, p.in / B, v);
        else
            transform_patches<B>(p, piece, slices, in, 0, p.in / B, v);
        for (; piece.first_block < last_block; piece.first_block += kBlocksOfM) {
            piece.last_block = std::min(last_block, piece.first_block + kBlocksOfM);
            for (int e = 0; e < kElements; ++e) {
                const float *now = weights(e), *next = weights((e + 1) % kElements);
                if constexpr (kBackward)
                    multiply_across<B>(p, piece, slices, now, next, v + e * v_element, m + e * m_element);
                else
                    multiply<B>(p, piece, slices, now, next, v + e * v_element, m + e * m_element);
            }
            if constexpr (kBackward)
                transform_tiles_across<B>(p, piece, m, out, broken.data());
            else
                transform_tiles<B>(p, piece, m, out, broken.data());
        }
    });
    repair<kBackward, B>(p, in, w.w, out, broken.data());
}

class WinogradConv2d final : public CpuConv2dPlan {
  public:
    WinogradConv2d(const Conv2dShape& s, Conv2dPass p, WinogradCut c) : CpuConv2dPlan(s, p), cut(c) {
        algorithm = cut == WinogradCut::by_tiles ? "winograd" : "winograd by filters";
        can_add = true;
        x_layout = conv2d_layout(s.c);
        y_layout = conv2d_layout(s.k);
        if (cut == WinogradCut::by_filters) return;
        packed_bytes = kElements * weight_element(x_layout, s.k, s.c) * static_cast<int64_t>(sizeof(float));
        // one memory can be the filters of (K,C) and of (C,K): whose packing it is depends on C too
        packing = uint64_t{1} << 62 | static_cast<uint64_t>(s.c << 8 | x_layout);
    }

    void pack(Queue&, const float* w, void* packed) const override {
        pack_winograd_weights(x_layout, shape.k, shape.c, weight_scale(), w, static_cast<float*>(packed));
    }

    void forward(Queue& queue, const float* x, const Conv2dWeights<float>& w, const float* bias,
                 const Conv2dOutput<float>& out) const override {
        const Conv2dShape& s = shape;
        const Problem p{s.n,       s.c,       s.h,          s.w,          s.k,
                        s.out_h(), s.out_w(), s.padding[0], s.padding[1], weight_scale()};
        const PlainInput in{x};
        if (pass == Conv2dPass::forward_relu_pool)
            run<false>(queue, p, in, w, PooledReluOutput{bias, out.y, out.index});
        else
            run<false>(queue, p, in, w, PlainOutput{bias, out.y, pass == Conv2dPass::forward_relu, false});
    }

    void backward_data(Queue& queue, const Conv2dGradient<float>& g, const Conv2dWeights<float>& w, bool add,
                       float* dx) const override {
        const Conv2dShape& s = shape;
        const Problem p{s.n, s.k, s.out_h(),        s.out_w(),        s.c,
                        s.h, s.w, 2 - s.padding[0], 2 - s.padding[1], weight_scale()};
        const PlainOutput out{nullptr, dx, false, add};
        if (pass == Conv2dPass::backward_data_relu_pool)
            run<true>(queue, p, PooledReluGradient{g.dy, g.y, g.index}, w, out);
        else if (pass == Conv2dPass::backward_data_relu)
            run<true>(queue, p, ReluGradient{g.dy, g.y}, w, out);
        else
            run<true>(queue, p, PlainInput{g.dy}, w, out);
    }

  private:
    const WinogradCut cut;

    float weight_scale() const { return static_cast<float>(shape.weight_scale); }

    template <bool kBackward, class Input, class Output>
    void run(Queue& queue, const Problem& p, const Input& in, const Conv2dWeights<float>& w,
             const Output& out) const {
        if (cut == WinogradCut::by_filters)
            return convolve_by_filters<kBackward>(x_layout, queue, p, in, w.w, out);
        if (x_layout == 16)
            convolve<kBackward, 16>(queue, p, in, w, out);
        else
            convolve<kBackward, 8>(queue, p, in, w, out);
    }
};

}  // namespace

bool winograd_conv2d_fits(const Conv2dShape& s) {
    const std::array<int64_t, 2> ones{1, 1};
    return has_wide_vectors() && conv2d_layout(s.c) > 1 && conv2d_layout(s.k) > 1 && s.r == 3 && s.s == 3 &&
           s.stride == ones && s.dilation == ones && s.groups == 1 && s.padding[0] <= 2 && s.padding[1] <= 2;
}

std::unique_ptr<CpuConv2dPlan> make_winograd_conv2d(const Conv2dShape& s, Conv2dPass pass, WinogradCut cut) {
    return std::make_unique<WinogradConv2d>(s, pass, cut);
}

}  // namespace lily::kernels
