// SPDX-License-Identifier: MIT
// Backward without atomics: the positions are sorted by their row, and the sorted list is cut into pieces of
// a fixed length, whatever rows lie in them. A block adds up one piece; a second launch joins the sums of
// rows that are longer than that. Work n log² n for the sort and n width for the sums; a row of many
// positions is as parallel as many rows.
#include "kernels/embedding/embedding.h"

#include <bit>

#include "kernels/common/error.h"
#include "kernels/common/index.h"
#include "kernels/common/packs.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

__global__ void __launch_bounds__(kElementThreads)
    forward_kernel(EmbeddingShape s, const float* weight, const int64_t* index, float* y) {
    for (int64_t at = thread_index(); at < s.n * s.width; at += thread_count()) {
        const auto [i, k] = divide(at, s.width);
        const int64_t row = index[i];
        y[at] = row >= 0 && row < s.rows ? weight[row * s.width + k] : NAN;
    }
}

void forward(Queue& queue, EmbeddingShape s, const float* weight, const int64_t* index, float* y) {
    launch("embedding", queue, one_thread_each(s.n * s.width), forward_kernel, s, weight, index, y);
}

struct Zero {
    __device__ float operator()() const { return 0; }
};

// What is sorted: row << bits | i. No two are equal, so there is one order, and in it a row's i ascend.
// Indices outside of the table get the row s.rows, the last; ~0 is no row at all.
using Key = uint64_t;
constexpr Key kNoKey = ~Key{0};

constexpr int kTile = 512;  // keys that a block sorts in shared memory

// Where keys[p] goes when the sorted runs of `length` (a power of two) of n keys are merged two by two: as
// far into the pair as it has smaller keys in its own run and in the other.
__device__ int64_t merged_place(const Key* keys, int64_t n, int64_t length, int64_t p) {
    const Key key = keys[p];
    const int64_t own = p & -length, other = own ^ length;
    const int64_t begin = other < n ? other : n;
    int64_t low = begin, high = other + length < n ? other + length : n;
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (keys[middle] < key)
            low = middle + 1;
        else
            high = middle;
    }
    return (own & other) + (p - own) + (low - begin);
}

__global__ void __launch_bounds__(kTile)
    sort_tile_kernel(EmbeddingShape s, int bits, const int64_t* index, Key* keys) {
    __shared__ Key tile[kTile];
    const int64_t first = static_cast<int64_t>(blockIdx.x) * kTile, p = threadIdx.x;
    const int64_t count = s.n - first < kTile ? s.n - first : kTile;
    if (p < count) {
        const int64_t row = index[first + p];
        tile[p] =
            static_cast<Key>(row >= 0 && row < s.rows ? row : s.rows) << bits | static_cast<Key>(first + p);
    }
    for (int64_t length = 1; length < count; length *= 2) {
        __syncthreads();
        const Key key = p < count ? tile[p] : 0;
        const int64_t place = p < count ? merged_place(tile, count, length, p) : 0;
        __syncthreads();
        if (p < count) tile[place] = key;
    }
    __syncthreads();
    if (p < count) keys[first + p] = tile[p];
}

__global__ void __launch_bounds__(kElementThreads)
    merge_kernel(int64_t n, int64_t length, const Key* from, Key* to) {
    for (int64_t p = thread_index(); p < n; p += thread_count())
        to[merged_place(from, n, length, p)] = from[p];
}

constexpr int kPiece = 64, kThreads = 128;

// One block: dy's rows of one piece, a thread per column. A row of the table whose positions all lie in the
// piece is done. partial[2 piece]: the sum of a row that comes in from the piece before;
// partial[2 piece + 1]: of one that begins here and goes on.
__global__ void __launch_bounds__(kThreads)
    sum_pieces_kernel(EmbeddingShape s, int bits, const Key* keys, const float* dy, float* dweight,
                      float* partial) {
    __shared__ Key piece[kPiece + 2];  // and its neighbours
    const int64_t first = static_cast<int64_t>(blockIdx.x) * kPiece;
    const int count = static_cast<int>(s.n - first < kPiece ? s.n - first : kPiece);
    for (int j = static_cast<int>(threadIdx.x); j < count + 2; j += kThreads) {
        const int64_t at = first - 1 + j;
        piece[j] = at >= 0 && at < s.n ? keys[at] : kNoKey;
    }
    __syncthreads();
    const Key nobody = static_cast<Key>(s.rows), position = (Key{1} << bits) - 1;
    const int64_t stride = static_cast<int64_t>(gridDim.y) * kThreads;
    for (int64_t k = blockIdx.y * kThreads + threadIdx.x; k < s.width; k += stride) {
        bool came_in = piece[0] >> bits == piece[1] >> bits;
        float sum = 0;
        for (int j = 1; j <= count; ++j) {
            const Key row = piece[j] >> bits;
            if (row == nobody) break;
            sum += dy[static_cast<int64_t>(piece[j] & position) * s.width + k];
            const bool goes_on = row == piece[j + 1] >> bits;
            if (goes_on && j < count) continue;
            if (came_in || goes_on)
                partial[(2 * static_cast<int64_t>(blockIdx.x) + (came_in ? 0 : 1)) * s.width + k] = sum;
            else
                dweight[static_cast<int64_t>(row) * s.width + k] = sum;
            sum = 0;
            came_in = false;
        }
    }
}

// The piece in which the row ends that begins in piece `first` and goes on; `first` if there is none.
__device__ int64_t last_piece(EmbeddingShape s, int bits, const Key* keys, int64_t first) {
    const int64_t border = (first + 1) * kPiece;
    const Key row = keys[border] >> bits;
    if (row == static_cast<Key>(s.rows) || keys[border - 1] >> bits != row ||
        (first > 0 && keys[first * kPiece - 1] >> bits == row))
        return first;
    int64_t low = border + 1, high = s.n;  // the first key of a later row
    while (low < high) {
        const int64_t middle = (low + high) / 2;
        if (keys[middle] >> bits == row)
            low = middle + 1;
        else
            high = middle;
    }
    return (low - 1) / kPiece;
}

constexpr int kColumns = 32, kLayers = 8;

// One block per border of two pieces: if a row begins before it and goes on, its sums over all pieces, each
// column's by 8 threads, whose own are added in order.
__global__ void __launch_bounds__(kColumns* kLayers)
    join_pieces_kernel(EmbeddingShape s, int bits, const Key* keys, const float* partial, float* dweight) {
    __shared__ double sums[kLayers][kColumns];
    __shared__ int64_t last;
    const int64_t first = blockIdx.x;
    if (threadIdx.x == 0) last = last_piece(s, bits, keys, first);
    __syncthreads();
    if (last == first) return;
    float* const row = dweight + static_cast<int64_t>(keys[(first + 1) * kPiece] >> bits) * s.width;
    const int column = threadIdx.x % kColumns, layer = threadIdx.x / kColumns;
    const int64_t stride = static_cast<int64_t>(gridDim.y) * kColumns;
    for (int64_t group = blockIdx.y * kColumns; group < s.width; group += stride) {
        const int64_t k = group + column;
        double sum = 0;
        if (k < s.width)
            for (int64_t p = first + layer; p <= last; p += kLayers)
                sum += partial[(2 * p + (p == first ? 1 : 0)) * s.width + k];
        sums[layer][column] = sum;
        __syncthreads();
        if (layer == 0 && k < s.width) {
            for (int l = 1; l < kLayers; ++l) sum += sums[l][column];
            row[k] = static_cast<float>(sum);
        }
        __syncthreads();
    }
}

// Blocks for all columns in y, of which a grid has 65535; the kernels walk on.
unsigned column_blocks(int64_t width, int64_t columns) { return blocks_for(width, columns, 65535).x; }

void backward(Queue& queue, EmbeddingShape s, const int64_t* index, const float* dy, float* dweight) {
    const int bits = s.n > 0 ? std::bit_width(static_cast<uint64_t>(s.n - 1)) : 0;
    if (bits + std::bit_width(static_cast<uint64_t>(s.rows)) > 63)
        throw Error("[embedding] expected rows * indices below 2^62 on a GPU, got " + std::to_string(s.rows) +
                    " and " + std::to_string(s.n) + "; use a smaller batch");
    map("embedding", queue, s.rows * s.width, Zero{}, dweight);
    if (s.n == 0 || s.width == 0) return;

    const auto sorted = queue.scratch<Key>(2 * s.n);
    Key *keys = sorted.data(), *other = keys + s.n;
    launch("embedding", queue, {blocks_for(s.n, kTile), dim3(kTile)}, sort_tile_kernel, s, bits, index, keys);
    for (int64_t length = kTile; length < s.n; length *= 2) {
        launch("embedding", queue, one_thread_each(s.n), merge_kernel, s.n, length, keys, other);
        std::swap(keys, other);
    }

    const dim3 pieces = blocks_for(s.n, kPiece);
    const auto partial = queue.scratch<float>(2 * static_cast<int64_t>(pieces.x) * s.width);
    launch("embedding", queue, {dim3(pieces.x, column_blocks(s.width, kThreads)), dim3(kThreads)},
           sum_pieces_kernel, s, bits, keys, dy, dweight, partial.data());
    if (pieces.x > 1)
        launch("embedding", queue,
               {dim3(pieces.x - 1, column_blocks(s.width, kColumns)), dim3(kColumns * kLayers)},
               join_pieces_kernel, s, bits, keys, partial.data(), dweight);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const EmbeddingKernels<float>& embedding_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const EmbeddingKernels<float> table{forward, backward};
    return table;
}

}  // namespace lily::kernels
