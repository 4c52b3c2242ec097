// SPDX-License-Identifier: MIT
// Forward: only the tiles on and below the diagonal, split over runs of positions; the partial sums are added
// up in order (in double) by a second kernel, which also writes the mirror image. Backward: one product whose
// left operand is dG + dGᵀ, added up as it is read.
#include "kernels/gram/gram.h"

#include <stdexcept>

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

void check_layout(const GramShape& s) {
    if (s.block != 1) throw std::runtime_error("[gram] blocked maps are for the CPU; use contiguous()");
}

void forward(Queue& queue, const GramShape& s, const float* f, float* g) {
    check_layout(s);
    const int64_t runs = (s.positions + kRun - 1) / kRun, edge = tiles_over(s.channels);
    const int64_t tiles = edge * (edge + 1) / 2;
    const auto partial = queue.scratch<float>(s.n * runs * s.channels * s.channels);
    launch("gram", queue, {blocks_for(s.n * runs * tiles, 1), dim3(kTileThreads)}, partial_kernel, s, runs,
           tiles, f, partial.data());
    launch("gram", queue, one_thread_each(s.n * s.channels * s.channels), finish_kernel, s, runs,
           partial.data(), g);
}

__global__ void __launch_bounds__(kTileThreads)
    backward_kernel(GramShape s, int64_t tiles, int64_t tile_columns, const float* f, const float* dg,
                    float* df) {
    const auto [sample, tile] = divide(blockIdx.x, tiles);
    const auto [tile_row, tile_column] = divide(tile, tile_columns);
    const float* map = f + sample * s.channels * s.positions;
    const float* slope = dg + sample * s.channels * s.channels;
    float* out = df + sample * s.channels * s.positions;
    const float scale = static_cast<float>(s.scale);
    product_tile<true, false>(
        s.channels, s.positions, {tile_row * kTile, tile_column * kTile, 0, s.channels},
        [&](int64_t i, int64_t k) { return slope[i * s.channels + k] + slope[k * s.channels + i]; },
        [&](int64_t j, int64_t k) { return map[k * s.positions + j]; },
        [&](int64_t i, int64_t j, float sum) { out[i * s.positions + j] = scale * sum; });
}

void backward(Queue& queue, const GramShape& s, const float* f, const float* dg, float* df) {
    check_layout(s);
    const int64_t tile_columns = tiles_over(s.positions), tiles = tiles_over(s.channels) * tile_columns;
    launch("gram", queue, {blocks_for(s.n * tiles, 1), dim3(kTileThreads)}, backward_kernel, s, tiles,
           tile_columns, f, dg, df);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const GramKernels<float>& gram_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const GramKernels<float> table{forward, backward};
    return table;
}

}  // namespace lily::kernels
