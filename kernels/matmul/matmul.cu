// SPDX-License-Identifier: MIT
// By cuBLAS, or tile by tile.
#include "kernels/matmul/matmul.h"

#include "kernels/common/cublas.h"
#include "kernels/common/tiled_product.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

// One block per tile of C, tile by tile of each matrix of the batch.
template <bool kTransposeA, bool kTransposeB>
__global__ void __launch_bounds__(kTileThreads)
    product_kernel(const MatmulShape s, int64_t tiles, int64_t tile_columns, const float* a, const float* b,
                   float beta, float* c) {
    const auto [matrix, tile] = divide(blockIdx.x, tiles);
    const auto [tile_row, tile_column] = divide(tile, tile_columns);
    const float* left = a + matrix * s.a_stride;
    const float* right = b + matrix * s.b_stride;
    float* out = c + matrix * s.c_stride;
    product_tile<!kTransposeA, kTransposeB>(
        s.m, s.n, {tile_row * kTile, tile_column * kTile, 0, s.k},
        [&](int64_t i, int64_t k) { return kTransposeA ? left[k * s.lda + i] : left[i * s.lda + k]; },
        [&](int64_t j, int64_t k) { return kTransposeB ? right[j * s.ldb + k] : right[k * s.ldb + j]; },
        [&](int64_t i, int64_t j, float sum) {
            float& place = out[i * s.ldc + j];
            place = beta == 0 ? sum : sum + beta * place;
        });
}

// Sizes that cuBLAS takes, and matrices that do not overlap.
bool library_can(const MatmulShape& s) {
    return s.m > 0 && s.n > 0 && s.k > 0 && s.batch > 0 &&
           fit_into_int(s.m, s.n, s.k, s.lda, s.ldb, s.ldc, s.batch) &&
           (s.batch == 1 || s.c_stride >= s.m * s.ldc);
}

void product(Queue& queue, const MatmulShape& s, const float* a, const float* b, float beta, float* c) {
    if (library_can(s) && library_takes(s.batch * s.m * s.n * s.k))
        return cublas_product("matmul", queue, product_precision(),
                              {s.m, s.n, s.k, s.transpose_a, s.transpose_b, s.lda, s.ldb, s.ldc, s.batch,
                               s.a_stride, s.b_stride, s.c_stride},
                              a, b, beta, c);
    const int64_t tile_columns = tiles_over(s.n), tiles = tiles_over(s.m) * tile_columns;
    const auto kernel = s.transpose_a
                            ? (s.transpose_b ? product_kernel<true, true> : product_kernel<true, false>)
                            : (s.transpose_b ? product_kernel<false, true> : product_kernel<false, false>);
    launch("matmul", queue, {blocks_for(s.batch * tiles, 1), dim3(kTileThreads)}, kernel, s, tiles,
           tile_columns, a, b, beta, c);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const MatmulKernels<float>& matmul_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const MatmulKernels<float> table{product};
    return table;
}

}  // namespace lily::kernels
