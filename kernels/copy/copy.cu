// SPDX-License-Identifier: MIT
#include "kernels/copy/copy.h"

#include "kernels/common/index.h"
#include "kernels/common/packs.h"
#include "kernels/copy/merged.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

template <class T>
struct Same {
    __device__ T operator()(T x) const { return x; }
};
template <class T>
struct Constant {
    T value;
    __device__ T operator()() const { return value; }
};

// y (N, C/to, M, to) = x (N, C/from, M, from); one thread per element of y.
template <class T>
__global__ void __launch_bounds__(kElementThreads)
    reorder_kernel(PlanesShape s, int64_t from, int64_t to, const T* x, T* y) {
    const int64_t n = s.n * s.c * s.m;
    for (int64_t i = thread_index(); i < n; i += thread_count()) {
        const auto [outside, lane] = divide(i, to);
        const auto [block, m] = divide(outside, s.m);
        const auto [sample, group] = divide(block, s.c / to);
        const auto [source_group, source_lane] = divide(group * to + lane, from);
        y[i] = x[((sample * (s.c / from) + source_group) * s.m + m) * from + source_lane];
    }
}

template <class T>
__global__ void __launch_bounds__(kElementThreads)
    strided_kernel(int64_t n, StridedCopy s, const T* x, T* y) {
    for (int64_t i = thread_index(); i < n; i += thread_count()) {
        int64_t rest = i, from = 0, to = 0;
        for (int d = s.rank - 1; d >= 0; --d) {
            const auto [above, at] = divide(rest, s.size[d]);
            from += at * s.from_stride[d];
            to += at * s.to_stride[d];
            rest = above;
        }
        y[to] = x[from];
    }
}

// A transposition: x's neighbours lie along dimension `across`, y's along the last one. By way of tiles in
// shared memory both are read and written as neighbours. Blocks: the other dimensions, then the tiles.
constexpr int kSquare = 32, kSquareRows = 8;

template <class T>
__global__ void __launch_bounds__(kSquare* kSquareRows)
    transpose_kernel(StridedCopy s, int across, int64_t tiles_across, int64_t tiles_last, const T* x, T* y) {
    __shared__ T tile[kSquare][kSquare + 1];
    const int last = s.rank - 1, lane = static_cast<int>(threadIdx.x), line = static_cast<int>(threadIdx.y);
    const auto [others, tile_number] = divide(blockIdx.x, tiles_across * tiles_last);
    const auto [tile_across, tile_last] = divide(tile_number, tiles_last);
    int64_t rest = others;
    for (int d = last - 1; d >= 0; --d) {
        if (d == across) continue;
        const auto [above, at] = divide(rest, s.size[d]);
        x += at * s.from_stride[d];
        y += at * s.to_stride[d];
        rest = above;
    }
    const int64_t first_across = tile_across * kSquare, first_last = tile_last * kSquare;
    for (int r = line; r < kSquare; r += kSquareRows)
        if (first_across + lane < s.size[across] && first_last + r < s.size[last])
            tile[r][lane] = x[first_across + lane + (first_last + r) * s.from_stride[last]];
    __syncthreads();
    for (int r = line; r < kSquare; r += kSquareRows)
        if (first_across + r < s.size[across] && first_last + lane < s.size[last])
            y[(first_across + r) * s.to_stride[across] + first_last + lane] = tile[lane][r];
}

// The dimension that a transposition reads along, or -1 for other copies and for small ones.
int across_of(const StridedCopy& s) {
    const int last = s.rank - 1;
    if (s.rank < 2 || s.to_stride[last] != 1 || s.from_stride[last] <= 1 || s.size[last] < 8) return -1;
    for (int d = 0; d < last; ++d)
        if (s.from_stride[d] == 1 && s.size[d] >= 8) return d;
    return -1;
}

template <class T>
void strided(Queue& queue, const StridedCopy& wanted, const T* x, T* y) {
    const StridedCopy s = merged(wanted);
    int64_t n = 1;
    for (int d = 0; d < s.rank; ++d) n *= s.size[d];
    if (s.rank == 1 && s.from_stride[0] == 1 && s.to_stride[0] == 1)
        return map("copy", queue, n, Same<T>{}, y, x);
    const int across = across_of(s), last = s.rank - 1;
    if (n == 0 || across < 0) return launch("copy", queue, one_thread_each(n), strided_kernel<T>, n, s, x, y);
    const auto tiles = [](int64_t size) { return (size + kSquare - 1) / kSquare; };
    const int64_t across_tiles = tiles(s.size[across]), last_tiles = tiles(s.size[last]);
    const int64_t others = n / s.size[across] / s.size[last];
    launch("copy", queue, {blocks_for(others * across_tiles * last_tiles, 1), dim3(kSquare, kSquareRows)},
           transpose_kernel<T>, s, across, across_tiles, last_tiles, x, y);
}

// Between contiguous and channels last it is a transposition.
template <class T>
void reorder(Queue& queue, PlanesShape s, int64_t from_layout, int64_t to_layout, const T* x, T* y) {
    if (s.n * s.c * s.m == 0) return;
    if (from_layout == 1 && to_layout == kChannelsLast)
        return strided(queue, {3, {s.n, s.m, s.c}, {s.c * s.m, 1, s.m}, {s.c * s.m, s.c, 1}}, x, y);
    if (from_layout == kChannelsLast && to_layout == 1)
        return strided(queue, {3, {s.n, s.c, s.m}, {s.c * s.m, 1, s.c}, {s.c * s.m, s.m, 1}}, x, y);
    launch("copy", queue, one_thread_each(s.n * s.c * s.m), reorder_kernel<T>, s, block_of(from_layout, s.c),
           block_of(to_layout, s.c), x, y);
}

template <class T>
void fill(Queue& queue, int64_t n, T value, T* y) {
    map("copy", queue, n, Constant<T>{value}, y);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

template <class T>
const CopyKernels<T>& copy_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const CopyKernels<T> table{reorder<T>, strided<T>, fill<T>};
    return table;
}
template const CopyKernels<float>& copy_on(LILY_CUDA_DEVICE::Gpu);
template const CopyKernels<double>& copy_on(LILY_CUDA_DEVICE::Gpu);
template const CopyKernels<int64_t>& copy_on(LILY_CUDA_DEVICE::Gpu);
template const CopyKernels<uint8_t>& copy_on(LILY_CUDA_DEVICE::Gpu);

}  // namespace lily::kernels
