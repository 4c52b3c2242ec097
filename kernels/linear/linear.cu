// SPDX-License-Identifier: MIT
// The product with its bias in the epilogue: y is written once.
#include "kernels/linear/linear.h"

#include "kernels/common/tiled_product.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

__global__ void __launch_bounds__(kTileThreads)
    forward_kernel(LinearShape s, int64_t tile_columns, const float* x, const float* weight,
                   const float* bias, float* y) {
    const auto [tile_row, tile_column] = divide(blockIdx.x, tile_columns);
    product_tile<true, true>(
        s.rows, s.out, {tile_row * kTile, tile_column * kTile, 0, s.in},
        [&](int64_t i, int64_t k) { return x[i * s.in + k]; },
        [&](int64_t j, int64_t k) { return weight[j * s.in + k]; },
        [&](int64_t i, int64_t j, float sum) { y[i * s.out + j] = bias ? sum + bias[j] : sum; });
}

void forward(Queue& queue, LinearShape s, const float* x, const float* weight, const float* bias, float* y) {
    const int64_t tile_columns = tiles_over(s.out);
    launch("linear", queue, {blocks_for(tiles_over(s.rows) * tile_columns, 1), dim3(kTileThreads)},
           forward_kernel, s, tile_columns, x, weight, bias, y);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const LinearKernels<float>& linear_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const LinearKernels<float> table{forward};
    return table;
}

}  // namespace lily::kernels
