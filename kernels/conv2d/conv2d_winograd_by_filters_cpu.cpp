// SPDX-License-Identifier: MIT
// kernels/conv2d/winograd_by_filters.h. For some tiles at a time:
//   1. all their patches are transformed, shared by all threads
//   2. each task takes two blocks of output channels, one if there are few. For a slice of the input channels
//      it transforms the filters between them and multiplies, element by element; after the last slice
//   3. the sums become outputs, or are computed again, by the definition, where they are not finite.
// u, m and a slice of one element of v stay in the second-level cache.
#include "kernels/common/parallel.h"
#include "kernels/conv2d/winograd_by_filters.h"
#include "kernels/conv2d/winograd_direct.h"
#include "kernels/conv2d/winograd_filters.h"
#include "kernels/conv2d/winograd_patches.h"
#include "kernels/conv2d/winograd_products.h"
#include "kernels/conv2d/winograd_tiles.h"

namespace lily::kernels::winograd {
namespace {

constexpr int64_t kTiles = 64, kDepth = 64;

// A slice of u: all filters between `depth` input channels and `blocks` blocks of output channels, or
// backward the other way round: (depth/B, blocks, B, B).
template <bool kBackward, int B>
inline void transform_slice(const Problem& p, const float* w, int64_t first_out, int64_t blocks,
                            int64_t first_in, int64_t depth, float* u, int64_t element) {
    for (int64_t i = 0; i < depth / B; ++i)
        for (int64_t o = 0; o < blocks; ++o) {
            const int64_t in = first_in / B + i, out = first_out + o;
            float* to = u + (i * blocks + o) * B * B;
            if constexpr (kBackward)
                transform_filters<B>(w, p.weight_scale, p.out, in, out, to, element);
            else
                transform_filters<B>(w, p.weight_scale, p.in, out, in, to, element);
        }
}

// Fetches part e of 36 of the filters that a slice will be made of: they come from far away and in short
// runs.
template <bool kBackward, int B>
inline void fetch_slice(const Problem& p, const float* w, int64_t first_out, int64_t blocks, int64_t first_in,
                        int64_t depth, int e) {
    constexpr int64_t kTaps = 9, kLine = 16;
    const int64_t rows = kBackward ? depth : blocks * B, row = (kBackward ? p.out : p.in) * kTaps;
    const int64_t lines = ceil_div((kBackward ? blocks * B : depth) * kTaps, kLine);
    const float* first =
        w + (kBackward ? first_in * row + first_out * B * kTaps : first_out * B * row + first_in * kTaps);
    for (int64_t line = e * lines / kElements; line < (e + 1) * lines / kElements; ++line)
        for (int64_t i = 0; i < rows; ++i) __builtin_prefetch(first + i * row + line * kLine, 0, 2);
}

template <bool kBackward, int B, class Input, class Output>
void convolve(Queue& queue, const Problem& p, const Input& in, const float* w, const Output& out) {
    constexpr int V = kBlocksAtOnce, kGroup = kBackward ? B : kTilesAtOnce<B>;
    const Slices slices{p.in, kDepth};
    const int64_t tiles = std::min(kTiles, p.tiles()), stride = ceil_div(tiles, kGroup) * kGroup;
    const int64_t v_element = padded(p.in * stride), m_element = padded(V * B * stride);
    const int64_t u_element = padded(V * B * kDepth), of_thread = kElements * (u_element + m_element);
    const auto scratch = queue.scratch<float>(kElements * v_element + max_threads() * of_thread);
    float* v = scratch.data();
    const auto broken = queue.scratch<uint8_t>(p.out / B * p.tiles());
    const int64_t all_blocks = p.out / B, of_task = all_blocks < V * max_threads() ? 1 : V;
    // Where there are more threads than that makes tasks, they share the tiles too.
    const int64_t parts = ceil_div(all_blocks, of_task), shares = std::max<int64_t>(1, max_threads() / parts);
    const int64_t share = ceil_div(ceil_div(tiles, shares), kGroup) * kGroup;
    for (int64_t first = 0; first < p.tiles(); first += tiles) {
        const int64_t count = std::min(tiles, p.tiles() - first);
        parallel_tasks<B>(p.in / B, true, [&](int64_t block, int64_t) {
            const Piece piece{first, count, stride, v_element, m_element, 0, 0};
            if constexpr (kBackward)
                transform_patches_across<B>(p, piece, slices, in, block, block + 1, v);
            else
                transform_patches<B>(p, piece, slices, in, block, block + 1, v);
        });
        parallel_tasks<B>(parts * ceil_div(count, share), true, [&](int64_t task, int64_t thread) {
            float* u = scratch.data() + kElements * v_element + thread * of_thread;
            float* m = u + kElements * u_element;
            const int64_t block = task % parts * of_task, blocks = std::min(of_task, all_blocks - block);
            const int64_t begin = task / parts * share, here = std::min(share, count - begin);
            const Piece piece{first + begin, here, stride, v_element, m_element, block, block + blocks};
            for (int64_t c = 0; c < p.in; c += kDepth) {
                const int64_t depth = slices.size(c), next = c + depth;
                transform_slice<kBackward, B>(p, w, block, blocks, c, depth, u, u_element);
                for (int e = 0; e < kElements; ++e) {
                    if (next < p.in)
                        fetch_slice<kBackward, B>(p, w, block, blocks, next, slices.size(next), e);
                    const float* from = v + e * v_element + c * stride + begin * depth;
                    const float* weights = u + (kBackward ? turned(e) : e) * u_element;
                    float* to = m + e * m_element;
                    if constexpr (kBackward) {
                        const BlockStrides across{
                            .a = blocks * B * B, .w = B * B, .w_next = depth * B, .out = blocks * B * B};
                        multiply_slice_across<B>(piece, depth, across, static_cast<int>(blocks) * B, from,
                                                 weights, c > 0, to, NothingAhead{});
                    } else {
                        constexpr int P = kTilesAtOnce<B>;
                        const BlockStrides along{
                            .a = P * B, .w = blocks * B * B, .w_next = B * B, .out = stride * B};
                        const auto nothing = [] { return NothingAhead{}; };
                        blocks == V ? product_rows<B, P, V>(here, depth, along, from, depth * P, weights,
                                                            c > 0, to, nothing)
                                    : product_rows<B, P, 1>(here, depth, along, from, depth * P, weights,
                                                            c > 0, to, nothing);
                    }
                }
            }
            if constexpr (kBackward)
                transform_tiles_across<B>(p, piece, m, out, broken.data());
            else
                transform_tiles<B>(p, piece, m, out, broken.data());
        });
    }
    repair<kBackward, B>(p, in, w, out, broken.data());
}

}  // namespace

template <bool kBackward, class Input, class Output>
void convolve_by_filters(int64_t block, Queue& queue, const Problem& p, const Input& in, const float* w,
                         const Output& out) {
    if (block == 16)
        convolve<kBackward, 16>(queue, p, in, w, out);
    else
        convolve<kBackward, 8>(queue, p, in, w, out);
}

template void convolve_by_filters<false>(int64_t, Queue&, const Problem&, const PlainInput&, const float*,
                                         const PlainOutput&);
template void convolve_by_filters<false>(int64_t, Queue&, const Problem&, const PlainInput&, const float*,
                                         const PooledReluOutput&);
template void convolve_by_filters<true>(int64_t, Queue&, const Problem&, const PlainInput&, const float*,
                                        const PlainOutput&);
template void convolve_by_filters<true>(int64_t, Queue&, const Problem&, const ReluGradient&, const float*,
                                        const PlainOutput&);
template void convolve_by_filters<true>(int64_t, Queue&, const Problem&, const PooledReluGradient&,
                                        const float*, const PlainOutput&);

}  // namespace lily::kernels::winograd
