// SPDX-License-Identifier: MIT
#include "kernels/total_variation/total_variation.h"

#include <cmath>

#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

constexpr int kLanes = 16;
constexpr int64_t kPiece = 4096;  // of a row: summed in T, 16 lanes side by side; pieces add up in double

// Σ |a[i] - b[i]|. With explicit vectors, because g++ shuffles a loop over an array of lanes to death.
template <class T>
double sum_of_differences(const T* a, const T* b, int64_t n) {
    typedef T Lanes __attribute__((vector_size(kLanes * sizeof(T))));
    typedef T Memory __attribute__((vector_size(kLanes * sizeof(T)), aligned(alignof(T)), may_alias));
    double total = 0;
    for (int64_t first = 0; first < n; first += kPiece) {
        const int64_t last = std::min(n, first + kPiece);
        Lanes sum = {};
        int64_t i = first;
        for (; i + kLanes <= last; i += kLanes) {
            const Lanes d = *reinterpret_cast<const Memory*>(a + i) - *reinterpret_cast<const Memory*>(b + i);
            sum += d < 0 ? -d : d;
        }
        for (int k = 0; k < kLanes; ++k) total += sum[k];
        for (; i < last; ++i) total += std::fabs(a[i] - b[i]);
    }
    return total;
}

int64_t rows_per_piece(PictureShape s) {
    return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, s.width));
}

template <class T>
void forward(Queue& queue, PictureShape s, const T* x, T* y) {
    const int64_t rows = s.planes * s.height, grain = rows_per_piece(s), pieces = (rows + grain - 1) / grain;
    const auto scratch = queue.scratch<double>(pieces);
    double* partial = scratch.data();
    parallel_for(rows, grain, [=](int64_t begin, int64_t end) {
        double total = 0;
        for (int64_t r = begin; r < end; ++r) {
            const T* row = x + r * s.width;
            total += sum_of_differences(row + 1, row, s.width - 1);
            if (r % s.height + 1 < s.height) total += sum_of_differences(row + s.width, row, s.width);
        }
        partial[begin / grain] = total;
    });
    double total = 0;
    for (int64_t i = 0; i < pieces; ++i) total += partial[i];
    *y = static_cast<T>(total);
}

// sign(to - from) without the subtraction, which may overflow
template <class T>
T direction(T from, T to) {
    return static_cast<T>(to > from) - static_cast<T>(to < from);
}

template <class T>
void backward(Queue&, PictureShape s, const T* x, const T* dy, T* dx) {
    if (s.width == 0) return;
    parallel_for(s.planes * s.height, rows_per_piece(s), [=](int64_t begin, int64_t end) {
        const T slope = *dy;
        for (int64_t r = begin; r < end; ++r) {
            const int64_t h = r % s.height, last = s.width - 1;
            const T* row = x + r * s.width;
            // at the rim a pixel is its own neighbour, from which it does not differ
            const T* above = h > 0 ? row - s.width : row;
            const T* below = h + 1 < s.height ? row + s.width : row;
            T* out = dx + r * s.width;
            const auto gradient = [&](int64_t w, int64_t left, int64_t right) {
                return slope * (direction(above[w], row[w]) + direction(row[left], row[w]) -
                                direction(row[w], below[w]) - direction(row[w], row[right]));
            };
            out[0] = gradient(0, 0, std::min<int64_t>(1, last));
            for (int64_t w = 1; w < last; ++w) out[w] = gradient(w, w - 1, w + 1);
            if (last > 0) out[last] = gradient(last, last - 1, last);
        }
    });
}

}  // namespace

template <class T>
const TotalVariationKernels<T>& total_variation(Device device) {
    static const TotalVariationKernels<T> cpu{forward<T>, backward<T>};
    return choose(
        "total_variation", device, cpu, [](auto gpu) -> const auto& { return total_variation_on(gpu); });
}
template const TotalVariationKernels<float>& total_variation(Device);
template const TotalVariationKernels<double>& total_variation(Device);

}  // namespace lily::kernels
