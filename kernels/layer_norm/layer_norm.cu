// SPDX-License-Identifier: MIT
// Rows: one block each. Columns: one thread each for a run of rows, and one more adds up the runs in order.
#include "kernels/layer_norm/layer_norm.h"

#include "kernels/common/block_reduce.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

constexpr int kThreads = 128;
constexpr int64_t kRun = 64;  // rows that one thread adds up

__device__ double block_sum(double value) { return block_reduce<kThreads>(value, Add{}); }

__global__ void __launch_bounds__(kThreads)
    forward_kernel(LayerNormShape s, const float* x, const float* weight, const float* bias, float* y,
                   float* statistics) {
    const int64_t row = blockIdx.x;
    const float* in = x + row * s.n;
    double sum = 0, squares = 0;
    for (int64_t i = threadIdx.x; i < s.n; i += kThreads) sum += in[i];
    const double mean = block_sum(sum) / static_cast<double>(s.n);
    for (int64_t i = threadIdx.x; i < s.n; i += kThreads) squares += (in[i] - mean) * (in[i] - mean);
    const double spread = block_sum(squares) / static_cast<double>(s.n) + s.eps;
    const float near = static_cast<float>(mean), rest = static_cast<float>(mean - near);
    const float r = static_cast<float>(spread == 0 ? 0 : 1 / sqrt(spread));
    for (int64_t i = threadIdx.x; i < s.n; i += kThreads)
        y[row * s.n + i] =
            ((in[i] - near) * r - rest * r) * (weight ? weight[i] : 1.0f) + (bias ? bias[i] : 0.0f);
    if (threadIdx.x == 0) {
        statistics[row] = near;
        statistics[s.rows + row] = rest;
        statistics[2 * s.rows + row] = r;
    }
}

__global__ void __launch_bounds__(kThreads)
    rows_backward_kernel(LayerNormShape s, const float* x, const float* weight, const float* statistics,
                         const float* dy, float* dx) {
    const int64_t row = blockIdx.x, at = row * s.n;
    const float near = statistics[row], r = statistics[2 * s.rows + row],
                shift = statistics[s.rows + row] * r;
    const auto g = [&](int64_t i) { return static_cast<double>(dy[at + i]) * (weight ? weight[i] : 1.0f); };
    const auto x_hat = [&](int64_t i) { return static_cast<double>((x[at + i] - near) * r - shift); };
    double sum = 0, along = 0;
    for (int64_t i = threadIdx.x; i < s.n; i += kThreads) {
        sum += g(i);
        along += g(i) * x_hat(i);
    }
    const double mean = block_sum(sum) / static_cast<double>(s.n);
    const double mean_along = block_sum(along) / static_cast<double>(s.n);
    for (int64_t i = threadIdx.x; i < s.n; i += kThreads)
        dx[at + i] = static_cast<float>(r * (g(i) - mean - x_hat(i) * mean_along));
}

// partial (runs, 2, n): Σ dy x̂ and Σ dy over a run of rows.
__global__ void __launch_bounds__(kThreads)
    columns_kernel(LayerNormShape s, const float* x, const float* statistics, const float* dy,
                   double* partial) {
    const int64_t column = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x, run = blockIdx.y;
    if (column >= s.n) return;
    double along = 0, sum = 0;
    const int64_t end = (run + 1) * kRun < s.rows ? (run + 1) * kRun : s.rows;
    for (int64_t row = run * kRun; row < end; ++row) {
        const float r = statistics[2 * s.rows + row], g = dy[row * s.n + column];
        const float x_hat = (x[row * s.n + column] - statistics[row]) * r - statistics[s.rows + row] * r;
        sum += g;
        along += static_cast<double>(g) * x_hat;
    }
    partial[(run * 2) * s.n + column] = along;
    partial[(run * 2 + 1) * s.n + column] = sum;
}

__global__ void __launch_bounds__(kThreads)
    runs_kernel(int64_t n, int64_t runs, const double* partial, float* dweight, float* dbias) {
    const int64_t column = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
    if (column >= n) return;
    double along = 0, sum = 0;
    for (int64_t run = 0; run < runs; ++run) {
        along += partial[(run * 2) * n + column];
        sum += partial[(run * 2 + 1) * n + column];
    }
    if (dweight) dweight[column] = static_cast<float>(along);
    if (dbias) dbias[column] = static_cast<float>(sum);
}

void forward(Queue& queue, const LayerNormShape& s, const float* x, const float* weight, const float* bias,
             float* y, float* statistics) {
    launch("layer_norm", queue, {blocks_for(s.rows, 1), dim3(kThreads)}, forward_kernel, s, x, weight, bias,
           y, statistics);
}

void backward(Queue& queue, const LayerNormShape& s, const float* x, const float* weight,
              const float* statistics, const float* dy, float* dx, float* dweight, float* dbias) {
    if (dx)
        launch("layer_norm", queue, {blocks_for(s.rows, 1), dim3(kThreads)}, rows_backward_kernel, s, x,
               weight, statistics, dy, dx);
    if (!dweight && !dbias) return;
    constexpr int64_t kMostRuns = 65'535;  // of a grid's second dimension
    const int64_t runs = (s.rows + kRun - 1) / kRun;
    if (runs > kMostRuns) throw Error("[layer_norm] at most 4194240 rows with a weight on a GPU; split x");
    const dim3 columns = blocks_for(s.n, kThreads);
    const auto partial = queue.scratch<double>(runs * 2 * s.n);
    launch("layer_norm", queue, {dim3(columns.x, static_cast<unsigned>(runs)), dim3(kThreads)},
           columns_kernel, s, x, statistics, dy, partial.data());
    launch("layer_norm", queue, {columns, dim3(kThreads)}, runs_kernel, s.n, runs,
           static_cast<const double*>(partial.data()), dweight, dbias);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const LayerNormKernels<float>& layer_norm_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const LayerNormKernels<float> table{forward, backward};
    return table;
}

}  // namespace lily::kernels
