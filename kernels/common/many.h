// SPDX-License-Identifier: MIT
// Many tensors in one launch: each is cut into pieces of a fixed length, one block each. The addresses of a
// few travel as the kernel's argument, so that nothing is copied; those of more go into a table in the GPU's
// memory first.
#pragma once

#include <vector>

#include "kernels/common/packs.h"
#include "kernels/common/staging.h"

namespace lily::kernels::LILY_CUDA_DEVICE {

inline constexpr int kManyThreads = 256;
inline constexpr int64_t kManyPiece = 4 * kManyThreads * kPack;  // elements per block

// An Entry is what a kernel has to know of one tensor: `int64_t n` elements, `uint32_t first_block` of its
// own, and whatever f wants. f(entry, begin, end) works on elements [begin, end), all threads of a block.
template <class Entry, int kCount>
struct EntryList {
    int count = 0;
    Entry entry[kCount];
};

template <class Entry, class F>
__device__ void do_piece(const Entry& a, const F& f) {
    const int64_t begin = static_cast<int64_t>(blockIdx.x - a.first_block) * kManyPiece;
    f(a, begin, begin + kManyPiece < a.n ? begin + kManyPiece : a.n);
}

template <class Entry, int kCount, class F>
__global__ void __launch_bounds__(kManyThreads)
    many_kernel(const __grid_constant__ EntryList<Entry, kCount> list, F f) {
    int which = list.count - 1;  // the last that begins at or before this block
    while (list.entry[which].first_block > blockIdx.x) --which;
    do_piece(list.entry[which], f);
}

template <class Entry, class F>
__global__ void __launch_bounds__(kManyThreads) many_table_kernel(int count, const Entry* table, F f) {
    int first = 0, last = count;  // [first, last) has the last that begins at or before this block
    while (last - first > 1) {
        const int middle = (first + last) / 2;
        (table[middle].first_block <= blockIdx.x ? first : last) = middle;
    }
    do_piece(table[first], f);
}

// Numbers the blocks of the entries and drops the empty ones; how many blocks there are.
template <class Entry>
int64_t place_pieces(std::vector<Entry>& entries) {
    std::erase_if(entries, [](const Entry& a) { return a.n == 0; });
    int64_t blocks = 0;
    for (Entry& a : entries) {
        a.first_block = static_cast<uint32_t>(blocks);
        blocks += (a.n + kManyPiece - 1) / kManyPiece;
    }
    return blocks;
}

template <int kCount, class Entry, class F>
void launch_list(const char* who, Queue& queue, const std::vector<Entry>& entries, const Grid& grid,
                 const F& f) {
    static_assert(sizeof(EntryList<Entry, kCount>) + sizeof(F) <= 4096);  // a kernel's arguments
    EntryList<Entry, kCount> list;
    for (const Entry& a : entries) list.entry[list.count++] = a;
    launch(who, queue, grid, many_kernel<Entry, kCount, F>, list, f);
}

// `blocks`: of place_pieces.
template <class Entry, class F>
void for_each_piece(const char* who, Queue& queue, const std::vector<Entry>& entries, int64_t blocks,
                    const F& f) {
    constexpr size_t kFew = 4, kMost = 56;
    const Grid grid{blocks_for(blocks, 1), dim3(kManyThreads)};
    if (entries.size() <= kFew) return launch_list<kFew>(who, queue, entries, grid, f);
    if (entries.size() <= kMost) return launch_list<kMost>(who, queue, entries, grid, f);
    const auto table = queue.scratch<Entry>(static_cast<int64_t>(entries.size()));
    upload(who, stream(queue), table.data(), entries.data(), entries.size() * sizeof(Entry));
    launch(who, queue, grid, many_table_kernel<Entry, F>, static_cast<int>(entries.size()),
           static_cast<const Entry*>(table.data()), f);
}

}  // namespace lily::kernels::LILY_CUDA_DEVICE
