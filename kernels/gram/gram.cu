// SPDX-License-Identifier: MIT
// Forward: only the tiles on and below the diagonal, split over runs of positions; the partial sums are added
// up in order (in double) by a second kernel, which also writes the mirror image. Backward: one product whose
// left operand is dG + dGᵀ, added up as it is read. The distance to a target is taken where G would be
// written.
#include "kernels/gram/gram.h"

#include "kernels/common/error.h"
#include "kernels/common/fold.h"
#include "kernels/common/tiled_product.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

constexpr int64_t kRun = 1024;  // positions per partial sum

// partial (N, runs, C, C): block = (sample, run, tile of the triangle)
__global__ void __launch_bounds__(kTileThreads)
    partial_kernel(GramShape s, int64_t runs, int64_t tiles, const float* f, float* partial) {
    const auto [slice, tile] = divide(blockIdx.x, tiles);
    const auto [sample, run] = divide(slice, runs);
    int64_t row = 0, rest = tile;  // tiles row by row: 1, 2, 3, …
    while (rest > row) rest -= ++row;
    const float* map = f + sample * s.channels * s.positions;
    float* out = partial + slice * s.channels * s.channels;
    const int64_t first = run * kRun, last = first + kRun < s.positions ? first + kRun : s.positions;
    const auto value = [&](int64_t channel, int64_t position) {
        return map[channel * s.positions + position];
    };
    product_tile<true, true>(s.channels, s.channels, {row * kTile, rest * kTile, first, last}, value, value,
                             [&](int64_t i, int64_t j, float sum) { out[i * s.channels + j] = sum; });
}

// g[i,j] = g[j,i] = scale Σ_run partial[run,i,j] for j <= i
__global__ void __launch_bounds__(kElementThreads)
    finish_kernel(GramShape s, int64_t runs, const float* partial, float* g) {
    const int64_t matrix = s.channels * s.channels;
    for (int64_t at = thread_index(); at < s.n * matrix; at += thread_count()) {
        const auto [sample, place] = divide(at, matrix);
        const auto [i, j] = divide(place, s.channels);
        if (j > i) continue;
        double sum = 0;
        for (int64_t run = 0; run < runs; ++run) sum += partial[(sample * runs + run) * matrix + place];
        const float value = static_cast<float>(s.scale * sum);
        g[at] = value;
        g[sample * matrix + j * s.channels + i] = value;
    }
}

// The same minus the target, and the sums of squares of what each block wrote.
constexpr int kDistanceThreads = 256;
constexpr int64_t kDistancePiece = 4 * kDistanceThreads;
__global__ void __launch_bounds__(kDistanceThreads)
    distance_kernel(GramShape s, int64_t runs, const float* partial, const float* target, float* difference,
                    double* squares) {
    const int64_t matrix = s.channels * s.channels, begin = blockIdx.x * kDistancePiece;
    const int64_t end = begin + kDistancePiece < s.n * matrix ? begin + kDistancePiece : s.n * matrix;
    double sum = 0;
    for (int64_t at = begin + threadIdx.x; at < end; at += kDistanceThreads) {
        const auto [sample, place] = divide(at, matrix);
        const auto [i, j] = divide(place, s.channels);
        if (j > i) continue;
        double value = 0;
        for (int64_t run = 0; run < runs; ++run) value += partial[(sample * runs + run) * matrix + place];
        const int64_t mirrored = sample * matrix + j * s.channels + i;
        const float g = static_cast<float>(s.scale * value);
        const float here = g - target[at], there = g - target[mirrored];
        difference[at] = here;
        difference[mirrored] = there;
        sum += static_cast<double>(here) * static_cast<double>(here);
        if (i != j) sum += static_cast<double>(there) * static_cast<double>(there);
    }
    sum = block_reduce<kDistanceThreads>(sum, Add{});
    if (threadIdx.x == 0) squares[blockIdx.x] = sum;
}

void check_layout(const GramShape& s) {
    if (s.block != 1) throw Error("[gram] blocked maps are for the CPU; use contiguous()");
}

int64_t runs_of(const GramShape& s) { return (s.positions + kRun - 1) / kRun; }

// partial (N, runs, C, C) of the triangle's tiles
void sum_runs(Queue& queue, const GramShape& s, const float* f, float* partial) {
    const int64_t edge = tiles_over(s.channels), tiles = edge * (edge + 1) / 2;
    launch("gram", queue, {blocks_for(s.n * runs_of(s) * tiles, 1), dim3(kTileThreads)}, partial_kernel, s,
           runs_of(s), tiles, f, partial);
}

void forward(Queue& queue, const GramShape& s, const float* f, float* g) {
    check_layout(s);
    const auto partial = queue.scratch<float>(s.n * runs_of(s) * s.channels * s.channels);
    sum_runs(queue, s, f, partial.data());
    launch("gram", queue, one_thread_each(s.n * s.channels * s.channels), finish_kernel, s, runs_of(s),
           partial.data(), g);
}

void distance(Queue& queue, const GramShape& s, double weight, const float* f, const float* target,
              float* difference, float* y) {
    check_layout(s);
    const int64_t n = s.n * s.channels * s.channels, pieces = (n + kDistancePiece - 1) / kDistancePiece;
    const auto partial = queue.scratch<float>(n * runs_of(s));
    const auto squares = queue.scratch<double>(pieces);
    sum_runs(queue, s, f, partial.data());
    launch("gram", queue, {blocks_for(pieces, 1), dim3(kDistanceThreads)}, distance_kernel, s, runs_of(s),
           partial.data(), target, difference, squares.data());
    fold_rest("gram", queue, pieces, squares.data(), Add{}, weight, y);
}

// Two blocks at once, as conv2d's: for more, ptxas spills registers.
__global__ void __launch_bounds__(kTileThreads, 2)
    backward_kernel(GramShape s, int64_t tiles, int64_t tile_columns, const float* f, const float* dg,
                    double weight, const float* dy, float* df) {
    const auto [sample, tile] = divide(blockIdx.x, tiles);
    const auto [tile_row, tile_column] = divide(tile, tile_columns);
    const float* map = f + sample * s.channels * s.positions;
    const float* slope = dg + sample * s.channels * s.channels;
    float* out = df + sample * s.channels * s.positions;
    const float scale = static_cast<float>(dy ? s.scale * 2 * weight * static_cast<double>(*dy) : s.scale);
    product_tile<true, false>(
        s.channels, s.positions, {tile_row * kTile, tile_column * kTile, 0, s.channels},
        [&](int64_t i, int64_t k) { return slope[i * s.channels + k] + slope[k * s.channels + i]; },
        [&](int64_t j, int64_t k) { return map[k * s.positions + j]; },
        [&](int64_t i, int64_t j, float sum) { out[i * s.positions + j] = scale * sum; });
}

// dy null: dg is the slope itself, else 2 weight dy dg is.
void run_backward(Queue& queue, const GramShape& s, const float* f, const float* dg, double weight,
                  const float* dy, float* df) {
    check_layout(s);
    const int64_t tile_columns = tiles_over(s.positions), tiles = tiles_over(s.channels) * tile_columns;
    launch("gram", queue, {blocks_for(s.n * tiles, 1), dim3(kTileThreads)}, backward_kernel, s, tiles,
           tile_columns, f, dg, weight, dy, df);
}

void backward(Queue& queue, const GramShape& s, const float* f, const float* dg, float* df) {
    run_backward(queue, s, f, dg, 0, nullptr, df);
}

void distance_backward(Queue& queue, const GramShape& s, double weight, const float* f,
                       const float* difference, const float* dy, float* df) {
    run_backward(queue, s, f, difference, weight, dy, df);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const GramKernels<float>& gram_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const GramKernels<float> table{forward, backward, LILY_CUDA_DEVICE::distance, distance_backward};
    return table;
}

}  // namespace lily::kernels
