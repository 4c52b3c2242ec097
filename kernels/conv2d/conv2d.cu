// SPDX-License-Identifier: MIT
// By cuDNN, or as products whose gathered operand is never written out (implicit GEMM); every pass is then
// one product per group, with the sizes
//                      rows     columns       depth
//   forward            K/g      N·OH·OW       C/g·R·S      y  = W · patches(x)
//   backward data      C/g      N·H·W         K/g·R·S      dx = Wᵀ · the dy that each x meets
//   backward weights   K/g      C/g·R·S       N·OH·OW      dw = dy · patches(x)ᵀ, split into runs of
//   positions
#include "kernels/conv2d/conv2d.h"

#include <memory>
#include <tuple>

#include "kernels/common/cublas.h"
#include "kernels/common/cudnn.h"
#include "kernels/common/error.h"
#include "kernels/common/plan_store.h"
#include "kernels/common/tiled_product.h"
#include "kernels/pool2d/pool2d.h"
#include "kernels/reduce/reduce.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

constexpr int64_t kRun = 1024;  // positions per partial sum of backward weights

// Conv2dShape for kernels. Coordinates are of 32 bits, so that they divide fast; offsets are of 64.
struct Convolution {
    int c, h, w, k, r, s, out_h, out_w, groups;
    int stride[2], padding[2], dilation[2];
    int64_t samples;
    float weight_scale;

    explicit Convolution(const Conv2dShape& shape)
        : c(static_cast<int>(shape.c)),
          h(static_cast<int>(shape.h)),
          w(static_cast<int>(shape.w)),
          k(static_cast<int>(shape.k)),
          r(static_cast<int>(shape.r)),
          s(static_cast<int>(shape.s)),
          out_h(static_cast<int>(shape.out_h())),
          out_w(static_cast<int>(shape.out_w())),
          groups(static_cast<int>(shape.groups)),
          samples(shape.n),
          weight_scale(static_cast<float>(shape.weight_scale)) {
        for (size_t axis = 0; axis < 2; ++axis) {
            stride[axis] = static_cast<int>(shape.stride[axis]);
            padding[axis] = static_cast<int>(shape.padding[axis]);
            dilation[axis] = static_cast<int>(shape.dilation[axis]);
        }
    }
    __host__ __device__ int group_c() const { return c / groups; }
    __host__ __device__ int group_k() const { return k / groups; }
    __host__ __device__ int taps() const { return r * s; }
    __host__ __device__ int patch() const { return group_c() * taps(); }
    __host__ __device__ int64_t positions() const { return samples * out_h * out_w; }
    __host__ __device__ int64_t windows() const { return samples * (out_h / 2) * (out_w / 2); }
    __host__ __device__ int64_t pixels() const { return samples * h * w; }
};

// x[n, channel, …] where output position `at` (n,i,j) meets tap `k` (c,r,s) of group g; 0 in the padding.
__device__ float patch_value(const Convolution& s, int g, int at, int k, const float* x) {
    const int plane = s.out_h * s.out_w, n = at / plane, i = at % plane / s.out_w, j = at % s.out_w;
    const int c = k / s.taps(), tap = k % s.taps();
    const int row = i * s.stride[0] - s.padding[0] + tap / s.s * s.dilation[0];
    const int column = j * s.stride[1] - s.padding[1] + tap % s.s * s.dilation[1];
    if (row < 0 || row >= s.h || column < 0 || column >= s.w) return 0;
    return x[((static_cast<int64_t>(n) * s.c + g * s.group_c() + c) * s.h + row) * s.w + column];
}

struct GroupTile {
    int group;
    Tile tile;
};
// Block b computes tile b % tiles of group b / tiles.
__device__ GroupTile group_tile(int64_t block, int64_t rows, int64_t columns, int64_t first, int64_t last) {
    const int64_t tile_columns = (columns + kTile - 1) / kTile,
                  tiles = (rows + kTile - 1) / kTile * tile_columns;
    const auto [group, tile] = divide(block, tiles);
    const auto [row, column] = divide(tile, tile_columns);
    return {static_cast<int>(group), {row * kTile, column * kTile, first, last}};
}

__global__ void __launch_bounds__(kTileThreads)
    forward_kernel(Convolution s, bool relu, const float* x, const float* w, const float* bias, float* y) {
    const GroupTile t = group_tile(blockIdx.x, s.group_k(), s.positions(), 0, s.patch());
    const int first_k = t.group * s.group_k(), plane = s.out_h * s.out_w;
    product_tile<true, false>(
        s.group_k(), s.positions(), t.tile,
        [&](int64_t i, int64_t k) { return w[(first_k + i) * s.patch() + k]; },
        [&](int64_t j, int64_t k) {
            return patch_value(s, t.group, static_cast<int>(j), static_cast<int>(k), x);
        },
        [&](int64_t i, int64_t j, float sum) {
            const int n = static_cast<int>(j) / plane, at = static_cast<int>(j) % plane;
            const float product = s.weight_scale * sum;
            const float value = bias ? product + bias[first_k + i] : product;
            y[(static_cast<int64_t>(n) * s.k + first_k + i) * plane + at] = relu && value < 0 ? 0.0f : value;
        });
}

// y (N, K, out_h/2, out_w/2) = the positive part of the largest of each window; index as in conv2d.h, or
// null.
__global__ void __launch_bounds__(kTileThreads)
    forward_pool_kernel(Convolution s, const float* x, const float* w, const float* bias, float* y,
                        uint8_t* index) {
    const int64_t columns = 4 * s.windows();
    const GroupTile t = group_tile(blockIdx.x, s.group_k(), columns, 0, s.patch());
    const int first_k = t.group * s.group_k(), rows = s.out_h / 2, row_size = s.out_w / 2;
    product_packs<true, false>(
        s.group_k(), columns, t.tile, [&](int64_t i, int64_t k) { return w[(first_k + i) * s.patch() + k]; },
        [&](int64_t j, int64_t k) {
            const int window = static_cast<int>(j / 4), corner = static_cast<int>(j % 4);
            const int line = window / row_size, n = line / rows;
            const int i = line % rows * 2 + corner / 2, q = window % row_size * 2 + corner % 2;
            return patch_value(s, t.group, (n * s.out_h + i) * s.out_w + q, static_cast<int>(k), x);
        },
        [&](int64_t i, int64_t j, const Pack<float>& sums) {
            float best = s.weight_scale * sums.lane[0];
            int where = 0;
            for (int c = 1; c < 4; ++c) {
                const float product = s.weight_scale * sums.lane[c];
                if (product > best || product != product) best = product, where = c;
            }
            if (bias) best += bias[first_k + i];
            const int window = static_cast<int>(j / 4), plane = rows * row_size;
            const int64_t at =
                (static_cast<int64_t>(window / plane) * s.k + first_k + i) * plane + window % plane;
            y[at] = best < 0 ? 0.0f : best;
            if (index) index[at] = static_cast<uint8_t>(where);
        });
}

// The slope at position (i, j) of plane `channel` of sample n: dy, 0 where the ReLU whose output is y (or
// null) was shut. Pooled: dy and y are of the pooled map, and only a window's largest has a slope.
template <bool kPooled>
__device__ float slope_at(const Convolution& s, int n, int channel, int i, int j,
                          const Conv2dGradient<float>& g) {
    const int64_t plane = static_cast<int64_t>(n) * s.k + channel;
    int64_t place = (plane * s.out_h + i) * s.out_w + j;
    if constexpr (kPooled) {
        if (i / 2 >= s.out_h / 2 || j / 2 >= s.out_w / 2) return 0;  // an odd last row is in no window
        place = (plane * (s.out_h / 2) + i / 2) * (s.out_w / 2) + j / 2;
        if (g.index[place] != i % 2 * 2 + j % 2) return 0;
    }
    return g.y && g.y[place] <= 0 ? 0.0f : g.dy[place];
}

// dz (N, K, out_h, out_w) = what slope_at says, for a library that takes no ReLU
template <bool kPooled>
__global__ void __launch_bounds__(kElementThreads)
    slopes_kernel(Convolution s, int64_t n, Conv2dGradient<float> g, float* dz) {
    for (int64_t at = thread_index(); at < n; at += thread_count()) {
        const auto [line, j] = divide(at, s.out_w);
        const auto [plane, i] = divide(line, s.out_h);
        const auto [sample, channel] = divide(plane, s.k);
        dz[at] = slope_at<kPooled>(s, static_cast<int>(sample), static_cast<int>(channel),
                                   static_cast<int>(i), static_cast<int>(j), g);
    }
}

// dy[n, channel, …] that pixel `at` (n,h,w) of x met at tap `k` (k,r,s); 0 where there is none.
template <bool kPooled>
__device__ float met_value(const Convolution& s, int g, int at, int k, const Conv2dGradient<float>& from) {
    const int plane = s.h * s.w, n = at / plane, h = at % plane / s.w, w = at % s.w;
    const int channel = g * s.group_k() + k / s.taps(), tap = k % s.taps();
    const int row = h + s.padding[0] - tap / s.s * s.dilation[0];
    const int column = w + s.padding[1] - tap % s.s * s.dilation[1];
    if (row < 0 || column < 0 || row % s.stride[0] != 0 || column % s.stride[1] != 0) return 0;
    const int i = row / s.stride[0], j = column / s.stride[1];
    if (i >= s.out_h || j >= s.out_w) return 0;
    return slope_at<kPooled>(s, n, channel, i, j, from);
}

// Two blocks at once: for three, ptxas 13.0 spills registers on 8.0.
template <bool kPooled>
__global__ void __launch_bounds__(kTileThreads, 2)
    backward_data_kernel(Convolution s, const Conv2dGradient<float> from, const float* w, bool add,
                         float* dx) {
    const GroupTile t = group_tile(blockIdx.x, s.group_c(), s.pixels(), 0, s.group_k() * s.taps());
    const int first_c = t.group * s.group_c(), plane = s.h * s.w;
    product_tile<true, false>(
        s.group_c(), s.pixels(), t.tile,
        [&](int64_t i, int64_t k) {
            const int channel = t.group * s.group_k() + static_cast<int>(k) / s.taps();
            return w[static_cast<int64_t>(channel) * s.patch() + i * s.taps() +
                     static_cast<int>(k) % s.taps()];
        },
        [&](int64_t j, int64_t k) {
            return met_value<kPooled>(s, t.group, static_cast<int>(j), static_cast<int>(k), from);
        },
        [&](int64_t i, int64_t j, float sum) {
            const int n = static_cast<int>(j) / plane, at = static_cast<int>(j) % plane;
            float& place = dx[(static_cast<int64_t>(n) * s.c + first_c + i) * plane + at];
            place = add ? place + s.weight_scale * sum : s.weight_scale * sum;
        });
}

// partial (runs, K, C/g, R, S): block = (run, group, tile)
__global__ void __launch_bounds__(kTileThreads)
    backward_weights_kernel(Convolution s, int64_t blocks_per_run, const float* x, const float* dy,
                            float* partial) {
    const auto [run, block] = divide(blockIdx.x, blocks_per_run);
    const int64_t begin = run * kRun, end = begin + kRun < s.positions() ? begin + kRun : s.positions();
    const GroupTile t = group_tile(block, s.group_k(), s.patch(), begin, end);
    const int first_k = t.group * s.group_k(), plane = s.out_h * s.out_w;
    float* out = partial + run * s.k * s.patch();
    product_tile<true, true>(
        s.group_k(), s.patch(), t.tile,
        [&](int64_t i, int64_t at) {
            const int n = static_cast<int>(at) / plane, place = static_cast<int>(at) % plane;
            return dy[(static_cast<int64_t>(n) * s.k + first_k + i) * plane + place];
        },
        [&](int64_t j, int64_t at) {
            return patch_value(s, t.group, static_cast<int>(at), static_cast<int>(j), x);
        },
        [&](int64_t i, int64_t j, float sum) { out[(first_k + i) * s.patch() + j] = s.weight_scale * sum; });
}

struct GpuConv2dPlan final : Conv2dPlan {
    using Conv2dPlan::Conv2dPlan;
    std::unique_ptr<CudnnConvolution> library;  // null: our own kernels
};
const GpuConv2dPlan& gpu(const Conv2dPlan& plan) { return static_cast<const GpuConv2dPlan&>(plan); }

int64_t multiplications(const Conv2dShape& s) {
    return s.n * s.k * s.out_h() * s.out_w() * (s.c / s.groups) * s.r * s.s;
}

std::unique_ptr<CudnnConvolution> make_library(const Conv2dShape& s, Conv2dPass pass, Precision precision) {
    if (!library_takes(multiplications(s)) ||
        !fit_into_int(s.n * s.c * s.h * s.w, s.n * s.k * s.out_h() * s.out_w(), s.k * s.c * s.r * s.s))
        return nullptr;
    const Convolution c(s);
    const CudnnShape shape{static_cast<int>(c.samples),
                           c.c,
                           c.h,
                           c.w,
                           c.k,
                           c.r,
                           c.s,
                           c.out_h,
                           c.out_w,
                           {c.stride[0], c.stride[1]},
                           {c.padding[0], c.padding[1]},
                           {c.dilation[0], c.dilation[1]},
                           c.groups,
                           c.weight_scale};
    const CudnnPass kind = is_forward(pass)         ? CudnnPass::forward
                           : is_backward_data(pass) ? CudnnPass::data
                                                    : CudnnPass::weights;
    return CudnnConvolution::make("conv2d", shape, kind, precision, gpu_engine() == Engine::measured);
}

std::shared_ptr<const Conv2dPlan> plan(const Conv2dShape& wanted, Conv2dPass pass) {
    using Key = std::tuple<Conv2dShape, Conv2dPass, Engine, Precision>;
    static auto& plans = *new PlanStore<Key, GpuConv2dPlan, kMostConv2dPlans>;
    const Precision precision = product_precision();
    Conv2dShape s = wanted;
    s.by_map = false;  // nothing here depends on it
    return plans.get({s, pass, gpu_engine(), precision}, [&] {
        constexpr int64_t kMost = 0x7fffffff;
        if (s.n * s.h * s.w > kMost || s.n * s.out_h() * s.out_w() > kMost || s.c * s.r * s.s > kMost ||
            s.k * s.r * s.s > kMost)
            throw Error("[conv2d] more than 2^31 positions or taps: split the batch");
        auto made = std::make_shared<GpuConv2dPlan>(s, pass);
        made->library = make_library(s, pass, precision);
        made->algorithm = made->library ? made->library->algorithm() : "implicit GEMM";
        made->can_add = is_backward_data(pass);
        return made;
    });
}

bool fuses_pool(const Conv2dShape& s) { return s.out_h() >= 2 && s.out_w() >= 2; }

void pack(Queue&, const Conv2dPlan&, const float*, void*) {}

int64_t tile_count(int64_t groups, int64_t rows, int64_t columns) {
    return groups * tiles_over(rows) * tiles_over(columns);
}

constexpr uintptr_t kCudnnAlignment = 16;

// The plan's, for these addresses.
template <class... T>
CudnnConvolution* library_of(const Conv2dPlan& plan, const T*... pointers) {
    return aligned(kCudnnAlignment, pointers...) ? gpu(plan).library.get() : nullptr;
}

void forward_by_library(Queue& queue, CudnnConvolution& library, const Conv2dPlan& plan, const float* x,
                        const float* w, const float* bias, const Conv2dOutput<float>& out) {
    if (!has_pool(plan.pass))
        return library.forward(queue, x, w, bias, plan.pass == Conv2dPass::forward_relu, out.y);
    const Conv2dShape& s = plan.shape;
    const auto map = queue.scratch<float>(s.n * s.k * s.out_h() * s.out_w());
    library.forward(queue, x, w, bias, true, map.data());
    const Pool2dShape pool{s.n * s.k, 1, s.out_h(), s.out_w(), {2, 2}, {2, 2}, {0, 0}};
    pool2d<float>(queue.device()).max(queue, pool, map.data(), out.y, out.index);
}

void forward(Queue& queue, const Conv2dPlan& plan, const float* x, const Conv2dWeights<float>& weights,
             const float* bias, const Conv2dOutput<float>& out) {
    const Convolution s(plan.shape);
    const float* w = weights.w;
    if (CudnnConvolution* library = library_of(plan, x, w, bias, out.y))
        return forward_by_library(queue, *library, plan, x, w, bias, out);
    const int64_t columns = has_pool(plan.pass) ? 4 * s.windows() : s.positions();
    const Grid grid{blocks_for(tile_count(s.groups, s.group_k(), columns), 1), dim3(kTileThreads)};
    if (has_pool(plan.pass))
        return launch("conv2d", queue, grid, forward_pool_kernel, s, x, w, bias, out.y, out.index);
    launch("conv2d", queue, grid, forward_kernel, s, plan.pass == Conv2dPass::forward_relu, x, w, bias,
           out.y);
}

void backward_data(Queue& queue, const Conv2dPlan& plan, const Conv2dGradient<float>& gradient,
                   const Conv2dWeights<float>& weights, bool add, float* dx) {
    const Convolution s(plan.shape);
    const float* w = weights.w;
    const bool relu = plan.pass != Conv2dPass::backward_data;
    const Conv2dGradient<float> g{gradient.dy, relu ? gradient.y : nullptr,
                                  has_pool(plan.pass) ? gradient.index : nullptr};
    if (CudnnConvolution* library = library_of(plan, g.dy, w, dx)) {
        if (!relu) return library->backward_data(queue, w, g.dy, add, dx);
        const int64_t n = s.k * s.positions();
        const auto slopes = queue.scratch<float>(n);
        launch("conv2d", queue, one_thread_each(n), g.index ? slopes_kernel<true> : slopes_kernel<false>, s,
               n, g, slopes.data());
        return library->backward_data(queue, w, slopes.data(), add, dx);
    }
    const int64_t blocks = tile_count(s.groups, s.group_c(), s.pixels());
    launch("conv2d", queue, {blocks_for(blocks, 1), dim3(kTileThreads)},
           g.index ? backward_data_kernel<true> : backward_data_kernel<false>, s, g, w, add, dx);
}

void backward_weights(Queue& queue, const Conv2dPlan& plan, const float* x, const float* dy, float* dw) {
    if (CudnnConvolution* library = library_of(plan, x, dy, dw))
        return library->backward_weights(queue, x, dy, dw);
    const Convolution s(plan.shape);
    const int64_t runs = (s.positions() + kRun - 1) / kRun, weights = static_cast<int64_t>(s.k) * s.patch();
    const int64_t blocks = tile_count(s.groups, s.group_k(), s.patch());
    const auto run = [&](float* partial) {
        launch("conv2d", queue, {blocks_for(runs * blocks, 1), dim3(kTileThreads)}, backward_weights_kernel,
               s, blocks, x, dy, partial);
    };
    if (runs == 1) return run(dw);
    const auto partial = queue.scratch<float>(runs * weights);
    run(partial.data());
    reduce<float>(queue.device()).sum(queue, {1, runs, weights}, partial.data(), dw);
}

// First over the positions of each plane, then over the samples.
void backward_bias(Queue& queue, int64_t n, int64_t k, int64_t m, int64_t layout, const float* dy,
                   float* db) {
    if (layout != 1) throw Error("[conv2d] blocked maps are for the CPU; use contiguous()");
    const auto& sums = reduce<float>(queue.device());
    if (n == 1) return sums.sum(queue, {k, m, 1}, dy, db);
    const auto partial = queue.scratch<float>(n * k);
    sums.sum(queue, {n * k, m, 1}, dy, partial.data());
    sums.sum(queue, {1, n, k}, partial.data(), db);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const Conv2dKernels<float>& conv2d_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const Conv2dKernels<float> table{
        fuses_pool,    LILY_CUDA_DEVICE::plan, LILY_CUDA_DEVICE::pack, LILY_CUDA_DEVICE::forward,
        backward_data, backward_weights,       backward_bias};
    return table;
}

}  // namespace lily::kernels
