// SPDX-License-Identifier: MIT
// By libraries, on the tensor cores, or tile by tile in f32. Bias and activation are in the epilogue of the
// product, the activation's slope is taken where a tile of dy is read: but for libraries that have not the
// function, z and dz are never in memory.
#include "kernels/linear/linear.h"

#include "kernels/common/cublas.h"
#include "kernels/common/tiled_product.h"
#include "kernels/linear/activation.h"
#include "kernels/linear/tensor_core_tile.h"
#include "kernels/matmul/matmul.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

// What happens to a sum on its way to y (rows, out).
template <class F>
struct Epilogue {
    F f;
    float scale;
    const float* bias;
    float* y;
    int64_t out;
    bool packed;

    // sums of kPack columns of row i, from column j on
    __device__ void operator()(int64_t i, int64_t j, const Pack<float>& sums) const {
        Pack<float> result;
        for (int c = 0; c < kPack; ++c) {
            const float product = scale * sums.lane[c];
            const float z = bias && j + c < out ? product + bias[j + c] : product;
            result.lane[c] = f.value(z);
        }
        store_pack(y + i * out, j, out, packed, result);
    }
};

template <class F>
__global__ void __launch_bounds__(kTileThreads)
    forward_kernel(LinearShape s, int64_t tile_columns, const float* x, const float* weight,
                   Epilogue<F> epilogue) {
    const auto [tile_row, tile_column] = divide(blockIdx.x, tile_columns);
    product_packs<true, true>(
        s.rows, s.out, {tile_row * kTile, tile_column * kTile, 0, s.in},
        [&](int64_t i, int64_t k) { return x[i * s.in + k]; },
        [&](int64_t j, int64_t k) { return weight[j * s.in + k]; }, epilogue);
}

// The same with factors rounded to TF32 or bf16.
template <class Factor, class F>
__global__ void __launch_bounds__(kCoreThreads)
    forward_tensor_core_kernel(LinearShape s, int64_t tile_columns, bool packed, const float* x,
                               const float* weight, Epilogue<F> epilogue) {
    const auto [tile_row, tile_column] = divide(blockIdx.x, tile_columns);
    tensor_core_tile<Factor>({x, s.rows, tile_row * kCoreTile, packed},
                             {weight, s.out, tile_column * kCoreTile, packed}, s.in, epilogue);
}

bool suits_library(LinearShape s) {
    return s.rows > 0 && s.out > 0 && s.in > 0 && library_takes(s.rows * s.out * s.in) &&
           fit_into_int(s.rows, s.out, s.in);
}

template <class F>
struct Value {
    F f;
    __device__ float operator()(float z) const { return f.value(z); }
};

void forward(Queue& queue, LinearShape s, LinearActivation activation, const float* x, const float* weight,
             const float* bias, float* y) {
    const float scale = static_cast<float>(s.weight_scale);
    if (suits_library(s) && aligned(kLtAlignment, x, weight, bias, y)) {
        cublaslt_linear("linear", queue, product_precision(), {s.rows, s.in, s.out}, scale, x, weight, bias,
                        y);
        return visit_activation<float>(activation, [&](auto f) {
            if constexpr (!std::is_same_v<decltype(f), Identity<float>>)
                map("linear", queue, s.rows * s.out, Value<decltype(f)>{f}, y, static_cast<const float*>(y));
        });
    }
    const bool packed = packable(y) && s.out % kPack == 0,
               packed_in = packable(x, weight) && s.in % kPack == 0;
    const int64_t columns = tiles_over(s.out), core_columns = core_tiles_over(s.out);
    const Grid tiles{blocks_for(tiles_over(s.rows) * columns, 1), dim3(kTileThreads)},
        core_tiles{blocks_for(core_tiles_over(s.rows) * core_columns, 1), dim3(kCoreThreads)};
    visit_activation<float>(activation, [&](auto f) {
        using F = decltype(f);
        const Epilogue<F> epilogue{f, scale, bias, y, s.out, packed};
        switch (product_precision()) {
            case Precision::f32:
                return launch("linear", queue, tiles, forward_kernel<F>, s, columns, x, weight, epilogue);
            case Precision::tf32:
                return launch("linear", queue, core_tiles, forward_tensor_core_kernel<Tf32, F>, s,
                              core_columns, packed_in, x, weight, epilogue);
            case Precision::bf16:
                return launch("linear", queue, core_tiles, forward_tensor_core_kernel<Bf16, F>, s,
                              core_columns, packed_in, x, weight, epilogue);
        }
    });
}

// dz at element i; y is null where f is the identity.
template <class F>
struct Slope {
    F f;
    const float *y, *dy;
    __device__ float operator()(int64_t i) const { return y ? f.gradient(y[i], dy[i]) : dy[i]; }
};

// dx = s dz W
template <class F>
__global__ void __launch_bounds__(kTileThreads)
    data_kernel(LinearShape s, Slope<F> dz, int64_t tile_columns, const float* weight, float* dx) {
    const float scale = static_cast<float>(s.weight_scale);
    const auto [tile_row, tile_column] = divide(blockIdx.x, tile_columns);
    product_tile<true, false>(
        s.rows, s.in, {tile_row * kTile, tile_column * kTile, 0, s.out},
        [&](int64_t i, int64_t k) { return dz(i * s.out + k); },
        [&](int64_t j, int64_t k) { return weight[k * s.in + j]; },
        [&](int64_t i, int64_t j, float sum) { dx[i * s.in + j] = scale * sum; });
}

// dW = s dzᵀ x
template <class F>
__global__ void __launch_bounds__(kTileThreads)
    weight_kernel(LinearShape s, Slope<F> dz, int64_t tile_columns, const float* x, float* dweight) {
    const float scale = static_cast<float>(s.weight_scale);
    const auto [tile_row, tile_column] = divide(blockIdx.x, tile_columns);
    product_tile<false, false>(
        s.out, s.in, {tile_row * kTile, tile_column * kTile, 0, s.rows},
        [&](int64_t i, int64_t k) { return dz(k * s.out + i); },
        [&](int64_t j, int64_t k) { return x[k * s.in + j]; },
        [&](int64_t i, int64_t j, float sum) { dweight[i * s.in + j] = scale * sum; });
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

template <class F>
struct SlopeOf {
    F f;
    float scale;
    __device__ float operator()(float dy, float y) const { return scale * f.gradient(y, dy); }
};

// s dz in memory, and its products by kernels/matmul, which gives them to cuBLAS.
void products(Queue& queue, LinearShape s, LinearActivation activation, const float* x, const float* weight,
              const float* y, const float* dy, const LinearGradients<float>& gradient) {
    const bool activated = activation.function != Activation::none;
    const bool changes = activated || s.weight_scale != 1;
    const auto scratch = queue.scratch<float>(changes ? s.rows * s.out : 0);
    const float scale = static_cast<float>(s.weight_scale);
    if (changes)
        visit_activation<float>(activation, [&](auto f) {
            map("linear", queue, s.rows * s.out, SlopeOf<decltype(f)>{f, scale}, scratch.data(), dy,
                activated ? y : dy);
        });
    const float* dz = changes ? scratch.data() : dy;
    const MatmulKernels<float>& k = matmul<float>(queue.device());
    if (gradient.x) k.product(queue, matmul_shape(s.rows, s.in, s.out), dz, weight, 0, gradient.x);
    if (gradient.weight)
        k.product(queue, matmul_shape(s.out, s.in, s.rows, true, false), dz, x, 0, gradient.weight);
}

void backward(Queue& queue, LinearShape s, LinearActivation activation, const float* x, const float* weight,
              const float* y, const float* dy, LinearGradients<float> gradient) {
    const bool by_library = suits_library(s);
    if (by_library && (gradient.x || gradient.weight))
        products(queue, s, activation, x, weight, y, dy, gradient);
    const int64_t tile_columns = tiles_over(s.in);
    const auto tiles_of = [&](int64_t rows) {
        return Grid{blocks_for(tiles_over(rows) * tile_columns, 1), dim3(kTileThreads)};
    };
    visit_activation<float>(activation, [&](auto f) {
        const Slope<decltype(f)> dz{f, activation.function == Activation::none ? nullptr : y, dy};
        if (gradient.x && !by_library)
            launch("linear", queue, tiles_of(s.rows), data_kernel<decltype(f)>, s, dz, tile_columns, weight,
                   gradient.x);
        if (gradient.weight && !by_library)
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
