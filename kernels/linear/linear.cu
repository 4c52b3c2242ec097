// SPDX-License-Identifier: MIT
// Products with what belongs to them: bias and activation where a tile is written, the activation's slope
// where one is read. z and dz are never in memory.
#include "kernels/linear/linear.h"

#include "kernels/common/tiled_product.h"
#include "kernels/linear/activation.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

template <class F>
__global__ void __launch_bounds__(kTileThreads)
    forward_kernel(LinearShape s, F f, int64_t tile_columns, const float* x, const float* weight,
                   const float* bias, float* y) {
    const auto [tile_row, tile_column] = divide(blockIdx.x, tile_columns);
    product_tile<true, true>(
        s.rows, s.out, {tile_row * kTile, tile_column * kTile, 0, s.in},
        [&](int64_t i, int64_t k) { return x[i * s.in + k]; },
        [&](int64_t j, int64_t k) { return weight[j * s.in + k]; },
        [&](int64_t i, int64_t j, float sum) { y[i * s.out + j] = f.value(bias ? sum + bias[j] : sum); });
}

void forward(Queue& queue, LinearShape s, LinearActivation activation, const float* x, const float* weight,
             const float* bias, float* y) {
    const int64_t tile_columns = tiles_over(s.out);
    visit_activation<float>(activation, [&](auto f) {
        launch("linear", queue, {blocks_for(tiles_over(s.rows) * tile_columns, 1), dim3(kTileThreads)},
               forward_kernel<decltype(f)>, s, f, tile_columns, x, weight, bias, y);
    });
}

// dz at element i; y is null where f is the identity.
template <class F>
struct Slope {
    F f;
    const float *y, *dy;
    __device__ float operator()(int64_t i) const { return y ? dy[i] * f.slope(y[i]) : dy[i]; }
};

// dx = dz W
template <class F>
__global__ void __launch_bounds__(kTileThreads)
    data_kernel(LinearShape s, Slope<F> dz, int64_t tile_columns, const float* weight, float* dx) {
    const auto [tile_row, tile_column] = divide(blockIdx.x, tile_columns);
    product_tile<true, false>(
        s.rows, s.in, {tile_row * kTile, tile_column * kTile, 0, s.out},
        [&](int64_t i, int64_t k) { return dz(i * s.out + k); },
        [&](int64_t j, int64_t k) { return weight[k * s.in + j]; },
        [&](int64_t i, int64_t j, float sum) { dx[i * s.in + j] = sum; });
}

// dW = dzᵀ x
template <class F>
__global__ void __launch_bounds__(kTileThreads)
    weight_kernel(LinearShape s, Slope<F> dz, int64_t tile_columns, const float* x, float* dweight) {
    const auto [tile_row, tile_column] = divide(blockIdx.x, tile_columns);
    product_tile<false, false>(
        s.out, s.in, {tile_row * kTile, tile_column * kTile, 0, s.rows},
        [&](int64_t i, int64_t k) { return dz(k * s.out + i); },
        [&](int64_t j, int64_t k) { return x[k * s.in + j]; },
        [&](int64_t i, int64_t j, float sum) { dweight[i * s.in + j] = sum; });
}

// db = Σ dz: a block has 32 neighbouring columns, each added up by 8 threads.
constexpr int kColumns = 32, kLayers = 8;
template <class F>
__global__ void __launch_bounds__(kColumns* kLayers) bias_kernel(LinearShape s, Slope<F> dz, float* dbias) {
    __shared__ double partial[kLayers][kColumns];
    const int column = threadIdx.x % kColumns, layer = threadIdx.x / kColumns;
    const int64_t at = static_cast<int64_t>(blockIdx.x) * kColumns + column;
    double sum = 0;
    if (at < s.out)
        for (int64_t r = layer; r < s.rows; r += kLayers) sum += dz(r * s.out + at);
    partial[layer][column] = sum;
    __syncthreads();
    if (layer > 0 || at >= s.out) return;
    for (int l = 1; l < kLayers; ++l) sum += partial[l][column];
    dbias[at] = static_cast<float>(sum);
}

void backward(Queue& queue, LinearShape s, LinearActivation activation, const float* x, const float* weight,
              const float* y, const float* dy, LinearGradients<float> gradient) {
    const int64_t tile_columns = tiles_over(s.in);
    const auto tiles_of = [&](int64_t rows) {
        return Grid{blocks_for(tiles_over(rows) * tile_columns, 1), dim3(kTileThreads)};
    };
    visit_activation<float>(activation, [&](auto f) {
        const Slope<decltype(f)> dz{f, activation.function == Activation::none ? nullptr : y, dy};
        if (gradient.x)
            launch("linear", queue, tiles_of(s.rows), data_kernel<decltype(f)>, s, dz, tile_columns, weight,
                   gradient.x);
        if (gradient.weight)
            launch("linear", queue, tiles_of(s.out), weight_kernel<decltype(f)>, s, dz, tile_columns, x,
                   gradient.weight);
        if (gradient.bias)
            launch("linear", queue, {blocks_for(s.out, kColumns), dim3(kColumns * kLayers)},
                   bias_kernel<decltype(f)>, s, dz, gradient.bias);
    });
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const LinearKernels<float>& linear_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const LinearKernels<float> table{forward, backward};
    return table;
}

}  // namespace lily::kernels
