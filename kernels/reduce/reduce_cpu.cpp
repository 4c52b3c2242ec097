// SPDX-License-Identifier: MIT
#include "kernels/reduce/reduce.h"

#include <vector>

#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

constexpr int kLanes = 16;
constexpr int64_t kPiece = 4096;

// Σ x[0..n), n <= kPiece, in an order that does not depend on threads. In double: huge numbers may cancel.
template <class T>
double sum_piece(const T* x, int64_t n) {
    double lane[kLanes] = {};
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int k = 0; k < kLanes; ++k) lane[k] += x[i + k];
    double total = 0;
    for (int k = 0; k < kLanes; ++k) total += lane[k];
    for (; i < n; ++i) total += x[i];
    return total;
}

// inner = 1, one long row: pieces over all threads.
template <class T>
T sum_long_row(Queue& queue, int64_t n, const T* x) {
    const int64_t pieces = (n + kPiece - 1) / kPiece;
    const auto partial = queue.scratch<double>(pieces);
    double* partials = partial.data();
    parallel_for(n, kPiece, [=](int64_t begin, int64_t end) {
        partials[begin / kPiece] = sum_piece(x + begin, end - begin);
    });
    double total = 0;
    for (int64_t i = 0; i < pieces; ++i) total += partials[i];
    return static_cast<T>(total);
}

template <class T>
void sum(Queue& queue, ReduceShape s, const T* x, T* y) {
    if (s.inner == 1 && s.n > 4 * kPiece) {
        for (int64_t o = 0; o < s.outer; ++o) y[o] = sum_long_row(queue, s.n, x + o * s.n);
        return;
    }
    if (s.inner == 1) {
        parallel_for(s.outer, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, s.n)),
                     [=](int64_t begin, int64_t end) {
                         for (int64_t o = begin; o < end; ++o) {
                             double total = 0;
                             for (int64_t i = 0; i < s.n; i += kPiece)
                                 total += sum_piece(x + o * s.n + i, std::min(kPiece, s.n - i));
                             y[o] = static_cast<T>(total);
                         }
                     });
        return;
    }
    // Columns: 64 neighbours of `inner` at a time, accumulated in double.
    constexpr int64_t columns = 64;
    const int64_t groups = (s.inner + columns - 1) / columns;
    parallel_for(s.outer * groups, std::max<int64_t>(1, kGrain / (columns * std::max<int64_t>(1, s.n))),
                 [=](int64_t begin, int64_t end) {
                     for (int64_t g = begin; g < end; ++g) {
                         const int64_t o = g / groups, first = g % groups * columns;
                         const int64_t width = std::min(columns, s.inner - first);
                         double total[columns] = {};
                         for (int64_t k = 0; k < s.n; ++k) {
                             const T* row = x + (o * s.n + k) * s.inner + first;
                             for (int64_t i = 0; i < width; ++i) total[i] += row[i];
                         }
                         for (int64_t i = 0; i < width; ++i)
                             y[o * s.inner + first + i] = static_cast<T>(total[i]);
                     }
                 });
}

template <class T, class Write>
void for_each_maximum(ReduceShape s, const T* x, const Write& write) {
    parallel_for(s.outer * s.inner, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, s.n)),
                 [=](int64_t begin, int64_t end) {
                     for (int64_t at = begin; at < end; ++at) {
                         const T* column = x + at / s.inner * s.n * s.inner + at % s.inner;
                         T best = column[0];
                         int64_t where = 0;
                         for (int64_t k = 1; k < s.n && best == best; ++k) {
                             const T v = column[k * s.inner];
                             if (v > best || v != v) best = v, where = k;
                         }
                         write(at, best, where);
                     }
                 });
}

template <class T>
void max(Queue&, ReduceShape s, const T* x, T* y) {
    for_each_maximum(s, x, [=](int64_t at, T best, int64_t) { y[at] = best; });
}

template <class T>
void argmax(Queue&, ReduceShape s, const T* x, int64_t* index) {
    for_each_maximum(s, x, [=](int64_t at, T, int64_t where) { index[at] = where; });
}

}  // namespace

template <class T>
const ReduceKernels<T>& reduce(Device device) {
    static const ReduceKernels<T> cpu{sum<T>, max<T>, argmax<T>};
    return choose(
        "reduce", device, cpu, [](auto gpu) -> const auto& { return reduce_on(gpu); });
}
template const ReduceKernels<float>& reduce(Device);
template const ReduceKernels<double>& reduce(Device);

}  // namespace lily::kernels
