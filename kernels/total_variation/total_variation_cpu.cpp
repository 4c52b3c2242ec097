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

// sign(to - from) without the subtraction, which may overflow
template <class T>
int8_t direction(T from, T to) {
    return static_cast<int8_t>((to > from) - (to < from));
}

// Row r of the slopes.
template <class T>
void find_slopes(PictureShape s, int64_t r, const T* x, uint8_t* slopes) {
    const int64_t h = r % s.height, last = s.width - 1;
    const T* row = x + r * s.width;
    // at the rim a pixel is its own neighbour, from which it does not differ
    const T* above = h > 0 ? row - s.width : row;
    const T* below = h + 1 < s.height ? row + s.width : row;
    uint8_t* out = slopes + r * s.width;
    const auto slope = [&](int64_t w, int64_t left, int64_t right) {
        return static_cast<uint8_t>(kNoSlope + direction(above[w], row[w]) + direction(row[left], row[w]) -
                                    direction(row[w], below[w]) - direction(row[w], row[right]));
    };
    out[0] = slope(0, 0, std::min<int64_t>(1, last));
    for (int64_t w = 1; w < last; ++w) out[w] = slope(w, w - 1, w + 1);
    if (last > 0) out[last] = slope(last, last - 1, last);
}

template <class T>
void forward(Queue& queue, PictureShape s, const T* x, T* y, uint8_t* slopes) {
    const int64_t rows = s.width > 0 ? s.planes * s.height : 0, grain = rows_per_piece(s);
    const int64_t pieces = ceil_div(rows, grain);
    const auto scratch = queue.scratch<double>(pieces);
    double* partial = scratch.data();
    parallel_for(rows, grain, [=](int64_t begin, int64_t end) {
        double total = 0;
        for (int64_t r = begin; r < end; ++r) {
            const T* row = x + r * s.width;
            total += sum_of_differences(row + 1, row, s.width - 1);
            if (r % s.height + 1 < s.height) total += sum_of_differences(row + s.width, row, s.width);
            if (slopes) find_slopes(s, r, x, slopes);
        }
        partial[begin / grain] = total;
    });
    double total = 0;
    for (int64_t i = 0; i < pieces; ++i) total += partial[i];
    *y = static_cast<T>(total);
}

template <class T>
void backward(Queue&, int64_t n, const uint8_t* slopes, const T* dy, T* dx) {
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        const T scale = *dy;
        for (int64_t i = begin; i < end; ++i) dx[i] = scale * static_cast<T>(slopes[i] - kNoSlope);
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
