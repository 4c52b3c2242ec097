// SPDX-License-Identifier: MIT
// By cuBLASLt, on the tensor cores, or tile by tile in f32; bias and activation are in the epilogue of each,
// and y is written once.
#include "kernels/linear/linear.h"

#include "kernels/common/cublas.h"
#include "kernels/common/tiled_product.h"
#include "kernels/linear/tensor_core_tile.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

struct LeakyRelu {
    float slope;
    __device__ float operator()(float z) const { return z < 0 ? slope * z : z; }  // NaN stays NaN
};

// What happens to a sum on its way to y (rows, out).
struct Epilogue {
    const float* bias;
    bool relu;
    LeakyRelu activation;
    float* y;
    int64_t out;
    bool packed;

    // sums of kPack columns of row i, from column j on
    __device__ void operator()(int64_t i, int64_t j, const Pack<float>& sums) const {
        Pack<float> result;
        for (int c = 0; c < kPack; ++c) {
            const float z = bias && j + c < out ? sums.lane[c] + bias[j + c] : sums.lane[c];
            result.lane[c] = relu ? activation(z) : z;
        }
        store_pack(y + i * out, j, out, packed, result);
    }
};

__global__ void __launch_bounds__(kTileThreads)
    forward_kernel(LinearShape s, int64_t tile_columns, const float* x, const float* weight,
                   Epilogue epilogue) {
    const auto [tile_row, tile_column] = divide(blockIdx.x, tile_columns);
    product_packs<true, true>(
        s.rows, s.out, {tile_row * kTile, tile_column * kTile, 0, s.in},
        [&](int64_t i, int64_t k) { return x[i * s.in + k]; },
        [&](int64_t j, int64_t k) { return weight[j * s.in + k]; }, epilogue);
}

// The same with factors rounded to TF32 or bf16.
template <class Factor>
__global__ void __launch_bounds__(kCoreThreads)
    forward_tensor_core_kernel(LinearShape s, int64_t tile_columns, bool packed, const float* x,
                               const float* weight, Epilogue epilogue) {
    const auto [tile_row, tile_column] = divide(blockIdx.x, tile_columns);
    tensor_core_tile<Factor>({x, s.rows, tile_row * kCoreTile, packed},
                             {weight, s.out, tile_column * kCoreTile, packed}, s.in, epilogue);
}

void by_library(Queue& queue, const LinearShape& s, const float* x, const float* weight, const float* bias,
                float* y) {
    const bool plain_relu = s.relu && s.slope == 0;
    cublaslt_linear("linear", queue, product_precision(), {s.rows, s.in, s.out, plain_relu}, x, weight, bias,
                    y);
    if (s.relu && !plain_relu)  // which cuBLASLt has not
        map("linear", queue, s.rows * s.out, LeakyRelu{static_cast<float>(s.slope)}, y,
            static_cast<const float*>(y));
}

void forward(Queue& queue, const LinearShape& s, const float* x, const float* weight, const float* bias,
             float* y) {
    if (s.rows > 0 && s.out > 0 && s.in > 0 && library_takes(s.rows * s.out * s.in) &&
        fit_into_int(s.rows, s.out, s.in) && aligned(kLtAlignment, x, weight, bias, y))
        return by_library(queue, s, x, weight, bias, y);
    const Epilogue epilogue{bias, s.relu, {static_cast<float>(s.slope)},
                            y,    s.out,  packable(y) && s.out % kPack == 0};
    const Precision precision = product_precision();
    if (precision == Precision::f32) {
        const int64_t columns = tiles_over(s.out);
        return launch("linear", queue, {blocks_for(tiles_over(s.rows) * columns, 1), dim3(kTileThreads)},
                      forward_kernel, s, columns, x, weight, epilogue);
    }
    const auto kernel =
        precision == Precision::tf32 ? forward_tensor_core_kernel<Tf32> : forward_tensor_core_kernel<Bf16>;
    const int64_t columns = core_tiles_over(s.out);
    launch("linear", queue, {blocks_for(core_tiles_over(s.rows) * columns, 1), dim3(kCoreThreads)}, kernel, s,
           columns, packable(x, weight) && s.in % kPack == 0, x, weight, epilogue);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const LinearKernels<float>& linear_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const LinearKernels<float> table{forward};
    return table;
}

}  // namespace lily::kernels
