// SPDX-License-Identifier: MIT
#include "kernels/copy/copy.h"

#include <atomic>

#include "kernels/common/parallel.h"
#include "kernels/copy/merged.h"

namespace lily::kernels {
namespace {

std::atomic<int64_t> reorders{0};

template <class T>
void reorder(Queue&, PlanesShape s, int64_t from_layout, int64_t to_layout, const T* x, T* y) {
    if (s.n * s.c * s.m == 0) return;
    reorders.fetch_add(1, std::memory_order_relaxed);
    const int64_t from = block_of(from_layout, s.c), to = block_of(to_layout, s.c);
    constexpr int64_t tile = 256;  // positions at a time, so that both sides stay in the cache
    const int64_t tiles = (s.m + tile - 1) / tile;
    parallel_for(s.n * tiles, 1, [=](int64_t begin, int64_t end) {
        for (int64_t piece = begin; piece < end; ++piece) {
            const int64_t n = piece / tiles, first = piece % tiles * tile, last = std::min(s.m, first + tile);
            for (int64_t c = 0; c < s.c; ++c) {
                const T* source = x + n * s.c * s.m + c / from * from * s.m + c % from;
                T* target = y + n * s.c * s.m + c / to * to * s.m + c % to;
                for (int64_t m = first; m < last; ++m) target[m * to] = source[m * from];
            }
        }
    });
}

template <class T>
void strided(Queue&, const StridedCopy& wanted, const T* x, T* y) {
    const StridedCopy s = merged(wanted);
    const int inner = s.rank - 1;
    const int64_t n = s.size[inner], from_step = s.from_stride[inner], to_step = s.to_stride[inner];
    int64_t rows = 1;
    for (int d = 0; d < inner; ++d) rows *= s.size[d];
    if (n == 0 || rows == 0) return;
    const int64_t pieces = (n + kGrain - 1) / kGrain;  // of a row
    parallel_for(rows * pieces, std::max<int64_t>(1, kGrain / n), [=](int64_t begin, int64_t end) {
        for (int64_t piece = begin; piece < end; ++piece) {
            const int64_t first = piece % pieces * kGrain, last = std::min(n, first + kGrain);
            int64_t rest = piece / pieces, from = 0, to = 0;
            for (int d = inner - 1; d >= 0; --d) {
                const int64_t i = rest % s.size[d];
                rest /= s.size[d];
                from += i * s.from_stride[d];
                to += i * s.to_stride[d];
            }
            if (from_step == 1 && to_step == 1)
                std::copy(x + from + first, x + from + last, y + to + first);
            else
                for (int64_t i = first; i < last; ++i) y[to + i * to_step] = x[from + i * from_step];
        }
    });
}

template <class T>
void fill(Queue&, int64_t n, T value, T* y) {
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) { std::fill(y + begin, y + end, value); });
}

}  // namespace

int64_t cpu_reorders() { return reorders; }

template <class T>
const CopyKernels<T>& copy(Device device) {
    static const CopyKernels<T> cpu{reorder<T>, strided<T>, fill<T>};
    return choose(
        "copy", device, cpu, [](auto gpu) -> const auto& { return copy_on<T>(gpu); });
}
template const CopyKernels<float>& copy(Device);
template const CopyKernels<double>& copy(Device);
template const CopyKernels<int64_t>& copy(Device);
template const CopyKernels<uint8_t>& copy(Device);

}  // namespace lily::kernels
