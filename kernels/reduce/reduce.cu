// SPDX-License-Identifier: MIT
// Sums go piece by piece, with pieces of a fixed length: the partial sums (double) are added in a second
// launch, in order.
#include "kernels/reduce/reduce.h"

#include "kernels/common/block_reduce.h"
#include "kernels/common/index.h"
#include "kernels/common/packs.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kRowPiece = 32 * kThreads;

// out[o, p] = Σ x[o, i] over piece p of row o: one block each.
template <class In, class Out>
__global__ void __launch_bounds__(kThreads)
    sum_rows_kernel(int64_t n, int64_t piece, int64_t pieces, const In* x, Out* out) {
    const auto [o, p] = divide(blockIdx.x, pieces);
    const In* row = x + o * n + p * piece;
    const int64_t length = n - p * piece < piece ? n - p * piece : piece;
    const bool packed = reinterpret_cast<uintptr_t>(row) % sizeof(Pack<In>) == 0;
    double sum = 0;
    for (int64_t i = threadIdx.x * kPack; i < length; i += kThreads * kPack) {
        const Pack<In> pack = load_pack(row, i, length, packed);
        for (int k = 0; k < kPack; ++k) sum += pack.lane[k];
    }
    const double total = block_reduce<kThreads>(sum, Add{});
    if (threadIdx.x == 0) out[blockIdx.x] = static_cast<Out>(total);
}

void sum_rows(Queue& queue, int64_t outer, int64_t n, const float* x, float* y) {
    const int64_t pieces = n > kRowPiece ? (n + kRowPiece - 1) / kRowPiece : 1;
    const Grid grid{blocks_for(outer * pieces, 1), dim3(kThreads)};
    if (pieces == 1)
        return launch("reduce", queue, grid, sum_rows_kernel<float, float>, n, kRowPiece, int64_t{1}, x, y);
    const auto partial = queue.scratch<double>(outer * pieces);
    launch("reduce", queue, grid, sum_rows_kernel<float, double>, n, kRowPiece, pieces, x, partial.data());
    launch("reduce", queue, {blocks_for(outer, 1), dim3(kThreads)}, sum_rows_kernel<double, float>, pieces,
           pieces, int64_t{1}, partial.data(), y);
}

constexpr int kColumns = 32, kLayers = kThreads / kColumns;
constexpr int64_t kColumnPiece = 1024;

// out[o, p, i] = Σ x[o, k, i] over piece p of the k: a block has 32 neighbouring i, each added up by 8
// threads.
template <class In, class Out>
__global__ void __launch_bounds__(kThreads)
    sum_columns_kernel(ReduceShape s, int64_t piece, int64_t pieces, const In* x, Out* out) {
    __shared__ double partial[kLayers][kColumns];
    const auto [op, group] = divide(blockIdx.x, (s.inner + kColumns - 1) / kColumns);
    const auto [o, p] = divide(op, pieces);
    const int column = threadIdx.x % kColumns, layer = threadIdx.x / kColumns;
    const int64_t i = group * kColumns + column;
    const int64_t last = (p + 1) * piece < s.n ? (p + 1) * piece : s.n;
    double sum = 0;
    if (i < s.inner)
        for (int64_t k = p * piece + layer; k < last; k += kLayers) sum += x[(o * s.n + k) * s.inner + i];
    partial[layer][column] = sum;
    __syncthreads();
    if (layer > 0 || i >= s.inner) return;
    for (int l = 1; l < kLayers; ++l) sum += partial[l][column];
    out[op * s.inner + i] = static_cast<Out>(sum);
}

void sum_columns(Queue& queue, ReduceShape s, const float* x, float* y) {
    const int64_t groups = (s.inner + kColumns - 1) / kColumns;
    const int64_t pieces = s.n > kColumnPiece ? (s.n + kColumnPiece - 1) / kColumnPiece : 1;
    const Grid grid{blocks_for(s.outer * pieces * groups, 1), dim3(kThreads)};
    if (pieces == 1)
        return launch("reduce", queue, grid, sum_columns_kernel<float, float>, s, kColumnPiece, int64_t{1}, x,
                      y);
    const auto partial = queue.scratch<double>(s.outer * pieces * s.inner);
    launch("reduce", queue, grid, sum_columns_kernel<float, double>, s, kColumnPiece, pieces, x,
           partial.data());
    launch("reduce", queue, {blocks_for(s.outer * groups, 1), dim3(kThreads)},
           sum_columns_kernel<double, float>, ReduceShape{s.outer, pieces, s.inner}, pieces, int64_t{1},
           partial.data(), y);
}

void sum(Queue& queue, ReduceShape s, const float* x, float* y) {
    if (s.inner == 1) return sum_rows(queue, s.outer, s.n, x, y);
    sum_columns(queue, s, x, y);
}

// NaN beats numbers, larger beats smaller, first beats later.
struct Best {
    float value;
    int64_t where;
};
__device__ Best better(Best a, Best b) {
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    if (a_nan != b_nan) return a_nan ? a : b;
    if (!a_nan && a.value != b.value) return a.value > b.value ? a : b;
    return a.where <= b.where ? a : b;
}

__device__ void write(Best best, int64_t at, float* y, int64_t* index) {
    if (y) y[at] = best.value;
    if (index) index[at] = best.where;
}

// inner = 1: one block per row.
__global__ void __launch_bounds__(kThreads)
    max_rows_kernel(int64_t n, const float* x, float* y, int64_t* index) {
    __shared__ float values[kThreads];
    __shared__ int64_t places[kThreads];
    const float* row = x + static_cast<int64_t>(blockIdx.x) * n;
    const int64_t first =
        static_cast<int>(threadIdx.x) < n ? threadIdx.x : 0;  // every thread has one of the row
    Best best{row[first], first};
    for (int64_t k = first + kThreads; k < n; k += kThreads) best = better(best, {row[k], k});
    for (unsigned step = kThreads / 2; step > 0; step /= 2) {
        values[threadIdx.x] = best.value;
        places[threadIdx.x] = best.where;
        __syncthreads();
        if (threadIdx.x < step) best = better(best, {values[threadIdx.x + step], places[threadIdx.x + step]});
        __syncthreads();
    }
    if (threadIdx.x == 0) write(best, blockIdx.x, y, index);
}

// One thread per column.
__global__ void __launch_bounds__(kElementThreads)
    max_columns_kernel(ReduceShape s, const float* x, float* y, int64_t* index) {
    for (int64_t at = thread_index(); at < s.outer * s.inner; at += thread_count()) {
        const auto [o, i] = divide(at, s.inner);
        const float* column = x + o * s.n * s.inner + i;
        Best best{column[0], 0};
        for (int64_t k = 1; k < s.n; ++k) best = better(best, {column[k * s.inner], k});
        write(best, at, y, index);
    }
}

void find_maxima(Queue& queue, ReduceShape s, const float* x, float* y, int64_t* index) {
    if (s.inner == 1)
        return launch("reduce", queue, {blocks_for(s.outer, 1), dim3(kThreads)}, max_rows_kernel, s.n, x, y,
                      index);
    launch("reduce", queue, one_thread_each(s.outer * s.inner), max_columns_kernel, s, x, y, index);
}

void max(Queue& queue, ReduceShape s, const float* x, float* y) { find_maxima(queue, s, x, y, nullptr); }
void argmax(Queue& queue, ReduceShape s, const float* x, int64_t* index) {
    find_maxima(queue, s, x, nullptr, index);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const ReduceKernels<float>& reduce_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const ReduceKernels<float> table{LILY_CUDA_DEVICE::sum, LILY_CUDA_DEVICE::max, argmax};
    return table;
}

}  // namespace lily::kernels
