// SPDX-License-Identifier: MIT
// A warp works on four vectors of one side, a block on 32; the other side passes by in tiles of 32, through
// shared memory. In scores a lane is one vector of the tile, in sums one number of the depth.
//   forward      queries stay, keys pass; the softmax is rescaled whenever a larger score comes by
//   dq           queries stay, keys pass; δ is written for the next kernel
//   dk, dv       keys stay, queries pass
#include "kernels/attention/attention.h"

#include "kernels/common/block_reduce.h"
#include "kernels/common/index.h"
#include "kernels/common/vector_math.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

constexpr int kTile = kWarp, kWarps = 8, kThreads = kWarps * kWarp, kMine = kTile / kWarps;
constexpr unsigned kAll = 0xffffffffu;
using Rows = AttentionRows<float>;
using ConstRows = AttentionRows<const float>;

template <class T, class Fold>
__device__ T warp_fold(T value, Fold fold) {
    return __shfl_sync(kAll, warp_reduce(value, fold), 0);
}

// A tile's row in shared memory: odd, so that the lanes of a warp read 32 rows without bank conflicts.
__host__ __device__ constexpr int64_t tile_row(int64_t depth) { return depth | 1; }
__host__ __device__ constexpr int64_t tile_size(int64_t depth) { return kTile * tile_row(depth); }

// Which head a block works on, and from where on.
struct Place {
    int64_t b, h, head, first;
};
__device__ Place place_of(const AttentionShape& s, int64_t places) {
    const auto [head, tile] = divide(blockIdx.x, (places + kTile - 1) / kTile);
    const auto [b, h] = divide(head, s.heads);
    return {b, h, head, tile * kTile};
}

// 32 vectors from `first` on into shared memory, zeros behind the last.
__device__ void load_tile(float* tile, const ConstRows& rows, const Place& at, int64_t first, int64_t count,
                          int64_t depth) {
    const float* from = rows.data + at.b * rows.batch + at.h * rows.head;
    for (int64_t e = threadIdx.x; e < kTile * depth; e += kThreads) {
        const auto [i, d] = divide(e, depth);
        tile[i * tile_row(depth) + d] = first + i < count ? from[(first + i) * rows.row + d] : 0.0f;
    }
}

// dots[r] = mine_r · the vector of this lane, for the four vectors of this warp.
__device__ void dots_of(const float* mine, const float* passing, int64_t depth, float (&dots)[kMine]) {
    const float* one = passing + (threadIdx.x % kWarp) * tile_row(depth);
    for (int r = 0; r < kMine; ++r) dots[r] = 0;
#pragma unroll 4
    for (int64_t d = 0; d < depth; ++d)
        for (int r = 0; r < kMine; ++r) dots[r] += mine[r * tile_row(depth) + d] * one[d];
}

// sums[r] += Σ over the tile of weights[r] times the tile's vectors; a lane has every 32nd number of them.
template <int kChunks>
__device__ void add_tile(const float (&weights)[kMine], const float* tile, int64_t depth,
                         float (&sums)[kMine][kChunks]) {
    const int64_t lane = threadIdx.x % kWarp;
#pragma unroll 4
    for (int i = 0; i < kTile; ++i) {
        float weight[kMine];
        for (int r = 0; r < kMine; ++r) weight[r] = __shfl_sync(kAll, weights[r], i);
        for (int c = 0; c < kChunks; ++c) {
            const int64_t d = c * kWarp + lane;
            const float value = d < depth ? tile[i * tile_row(depth) + d] : 0.0f;
            for (int r = 0; r < kMine; ++r) sums[r][c] += weight[r] * value;
        }
    }
}

// The vectors of this warp to memory, each times its factor.
template <int kChunks>
__device__ void store_rows(const Rows& rows, const Place& at, int64_t first, int64_t count, int64_t depth,
                           const float (&factor)[kMine], const float (&sums)[kMine][kChunks]) {
    float* to = rows.data + at.b * rows.batch + at.h * rows.head;
    for (int r = 0; r < kMine; ++r)
        for (int c = 0; c < kChunks; ++c) {
            const int64_t d = c * kWarp + threadIdx.x % kWarp;
            if (first + r < count && d < depth) to[(first + r) * rows.row + d] = factor[r] * sums[r][c];
        }
}

template <int kChunks>
__global__ void __launch_bounds__(kThreads)
    forward_kernel(AttentionShape s, ConstRows q, ConstRows k, ConstRows v, Rows y, float* statistics) {
    float *const queries = dynamic_shared<float>(), *const keys = queries + tile_size(s.depth),
                 *const values = keys + tile_size(s.depth);
    const Place at = place_of(s, s.queries);
    const int64_t row = threadIdx.x / kWarp * kMine, i = at.first + row, lane = threadIdx.x % kWarp;
    load_tile(queries, q, at, at.first, s.queries, s.depth);
    float sums[kMine][kChunks] = {}, m[kMine], factor[kMine];
    double total[kMine] = {};
    for (int r = 0; r < kMine; ++r) m[r] = -INFINITY;
    const int64_t end = s.seen(at.first + kTile - 1);
    for (int64_t first = 0; first < end; first += kTile) {
        __syncthreads();  // the last tile's readers have gone
        load_tile(keys, k, at, first, s.keys, s.depth);
        load_tile(values, v, at, first, s.keys, s.depth);
        __syncthreads();
        float p[kMine];
        dots_of(queries + row * tile_row(s.depth), keys, s.depth, p);
        for (int r = 0; r < kMine; ++r) {
            const bool seen = first + lane < s.seen(i + r);
            const float score = seen ? static_cast<float>(s.scale) * p[r] : -INFINITY;
            const float before = m[r];
            m[r] = Maximum{}(before, warp_fold(score, Maximum{}));
            p[r] = seen ? fast_exp(score - m[r]) : 0.0f;
            const float shrink = before == m[r] ? 1.0f : fast_exp(before - m[r]);
            total[r] = total[r] * shrink + warp_fold(static_cast<double>(p[r]), Add{});
            for (int c = 0; c < kChunks; ++c) sums[r][c] *= shrink;
        }
        add_tile(p, values, s.depth, sums);
    }
    for (int r = 0; r < kMine; ++r) {
        factor[r] = static_cast<float>(1 / total[r]);
        if (lane != 0 || i + r >= s.queries) continue;
        statistics[at.head * s.queries + i + r] = m[r];
        statistics[(s.batch * s.heads + at.head) * s.queries + i + r] = factor[r];
    }
    store_rows(y, at, i, s.queries, s.depth, factor, sums);
}

// p and ds of a query and a key, from their two products.
struct Slope {
    float scale, p, ds;

    __device__ void of(float dot, float dy_v, float m, float r, float delta) {
        p = r * fast_exp(scale * dot - m);
        ds = scale * p * (dy_v - delta);
    }
};

template <int kChunks>
__global__ void __launch_bounds__(kThreads)
    queries_backward_kernel(AttentionShape s, ConstRows q, ConstRows k, ConstRows v, ConstRows y,
                            const float* statistics, ConstRows dy, Rows dq, float* deltas) {
    float *const queries = dynamic_shared<float>(), *const upstream = queries + tile_size(s.depth),
                 *const keys = upstream + tile_size(s.depth), *const values = keys + tile_size(s.depth);
    const Place at = place_of(s, s.queries);
    const int64_t row = threadIdx.x / kWarp * kMine, i = at.first + row, lane = threadIdx.x % kWarp;
    load_tile(queries, q, at, at.first, s.queries, s.depth);
    load_tile(upstream, dy, at, at.first, s.queries, s.depth);
    __syncthreads();
    float m[kMine], scaled[kMine], delta[kMine], sums[kMine][kChunks] = {};
    for (int r = 0; r < kMine; ++r) {
        const bool inside = i + r < s.queries;
        const int64_t of_head = at.head * s.queries + i + r;
        double sum = 0;
        for (int64_t d = lane; inside && d < s.depth; d += kWarp)
            sum += static_cast<double>(upstream[(row + r) * tile_row(s.depth) + d]) *
                   y.data[at.b * y.batch + at.h * y.head + (i + r) * y.row + d];
        delta[r] = static_cast<float>(warp_fold(sum, Add{}));
        m[r] = inside ? statistics[of_head] : 0.0f;
        scaled[r] = inside ? statistics[s.batch * s.heads * s.queries + of_head] : 0.0f;
        if (lane == 0 && inside) deltas[of_head] = delta[r];
    }
    if (!dq.data) return;
    const int64_t end = s.seen(at.first + kTile - 1);
    for (int64_t first = 0; first < end; first += kTile) {
        __syncthreads();
        load_tile(keys, k, at, first, s.keys, s.depth);
        load_tile(values, v, at, first, s.keys, s.depth);
        __syncthreads();
        float dot[kMine], dy_v[kMine];
        dots_of(queries + row * tile_row(s.depth), keys, s.depth, dot);
        dots_of(upstream + row * tile_row(s.depth), values, s.depth, dy_v);
        for (int r = 0; r < kMine; ++r) {
            Slope slope{static_cast<float>(s.scale), 0, 0};
            if (first + lane < s.seen(i + r)) slope.of(dot[r], dy_v[r], m[r], scaled[r], delta[r]);
            dot[r] = slope.ds;
        }
        add_tile(dot, keys, s.depth, sums);
    }
    const float one[kMine] = {1, 1, 1, 1};
    store_rows(dq, at, i, s.queries, s.depth, one, sums);
}

// For more blocks at once than two, ptxas spills.
template <int kChunks>
__global__ void __launch_bounds__(kThreads, 2)
    keys_backward_kernel(AttentionShape s, ConstRows q, ConstRows k, ConstRows v, const float* statistics,
                         const float* deltas, ConstRows dy, Rows dk, Rows dv) {
    float *const keys = dynamic_shared<float>(), *const values = keys + tile_size(s.depth),
                 *const queries = values + tile_size(s.depth), *const upstream = queries + tile_size(s.depth);
    const Place at = place_of(s, s.keys);
    const int64_t row = threadIdx.x / kWarp * kMine, j = at.first + row, lane = threadIdx.x % kWarp;
    load_tile(keys, k, at, at.first, s.keys, s.depth);
    load_tile(values, v, at, at.first, s.keys, s.depth);
    float of_keys[kMine][kChunks] = {}, of_values[kMine][kChunks] = {};
    for (int64_t first = s.causal ? at.first : 0; first < s.queries; first += kTile) {
        __syncthreads();
        load_tile(queries, q, at, first, s.queries, s.depth);
        load_tile(upstream, dy, at, first, s.queries, s.depth);
        __syncthreads();
        const int64_t i = first + lane, of_head = at.head * s.queries + i;
        const bool inside = i < s.queries;
        const float m = inside ? statistics[of_head] : 0.0f, delta = inside ? deltas[of_head] : 0.0f;
        const float scaled = inside ? statistics[s.batch * s.heads * s.queries + of_head] : 0.0f;
        float p[kMine], ds[kMine];
        dots_of(keys + row * tile_row(s.depth), queries, s.depth, p);
        dots_of(values + row * tile_row(s.depth), upstream, s.depth, ds);
        for (int r = 0; r < kMine; ++r) {
            Slope slope{static_cast<float>(s.scale), 0, 0};
            if (inside && j + r < s.seen(i)) slope.of(p[r], ds[r], m, scaled, delta);
            p[r] = slope.p;
            ds[r] = slope.ds;
        }
        add_tile(ds, queries, s.depth, of_keys);
        add_tile(p, upstream, s.depth, of_values);
    }
    const float one[kMine] = {1, 1, 1, 1};
    if (dk.data) store_rows(dk, at, j, s.keys, s.depth, one, of_keys);
    if (dv.data) store_rows(dv, at, j, s.keys, s.depth, one, of_values);
}

Grid grid_of(const AttentionShape& s, int64_t places, int64_t tiles) {
    return {blocks_for(s.batch * s.heads * ((places + kTile - 1) / kTile), 1), dim3(kThreads),
            static_cast<size_t>(tiles * tile_size(s.depth)) * sizeof(float)};
}

// run(std::integral_constant<int, chunks>) with chunks of 32 numbers that hold a vector.
template <class Run>
void with_chunks(int64_t depth, const Run& run) {
    if (depth <= kWarp) return run(std::integral_constant<int, 1>{});
    if (depth <= 2 * kWarp) return run(std::integral_constant<int, 2>{});
    if (depth <= 4 * kWarp) return run(std::integral_constant<int, 4>{});
    throw Error("[attention] expected at most 128 numbers per head on a GPU, got " + std::to_string(depth));
}

void forward(Queue& queue, const AttentionShape& s, ConstRows q, ConstRows k, ConstRows v, Rows y,
             float* statistics) {
    with_chunks(s.depth, [&](auto chunks) {
        launch("attention", queue, grid_of(s, s.queries, 3), forward_kernel<chunks.value>, s, q, k, v, y,
               statistics);
    });
}

void backward(Queue& queue, const AttentionShape& s, ConstRows q, ConstRows k, ConstRows v, ConstRows y,
              const float* statistics, ConstRows dy, AttentionGradients<float> d) {
    const auto deltas = queue.scratch<float>(s.batch * s.heads * s.queries);
    with_chunks(s.depth, [&](auto chunks) {
        launch("attention", queue, grid_of(s, s.queries, 4), queries_backward_kernel<chunks.value>, s, q, k,
               v, y, statistics, dy, d.q, deltas.data());
        if (d.k.data || d.v.data)
            launch("attention", queue, grid_of(s, s.keys, 4), keys_backward_kernel<chunks.value>, s, q, k, v,
                   statistics, static_cast<const float*>(deltas.data()), dy, d.k, d.v);
    });
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const AttentionKernels<float>& attention_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const AttentionKernels<float> table{forward, backward};
    return table;
}

}  // namespace lily::kernels
