// SPDX-License-Identifier: MIT
#include "kernels/total_variation/total_variation.h"

#include <cmath>
#include <cstring>
#include <type_traits>

#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

constexpr int64_t kPiece = 4096;  // of a row: summed in T, 64 bytes side by side; pieces add up in double

// Explicit vectors, because g++ shuffles a loop over an array of lanes to death; of 32 bytes, because it
// takes wider ones apart for AVX2.
template <class T>
struct Vector {
    static constexpr int kLanes = 32 / sizeof(T);
    using Integer = std::conditional_t<sizeof(T) == 4, int32_t, int64_t>;  // what comparisons give
    typedef T Lanes __attribute__((vector_size(32)));
    typedef T Memory __attribute__((vector_size(32), aligned(alignof(T)), may_alias));
    static const Memory& at(const T* p) { return *reinterpret_cast<const Memory*>(p); }
};

// Σ |a[i] - b[i]|
template <class T>
double sum_of_differences(const T* a, const T* b, int64_t n) {
    using Vector = Vector<T>;
    constexpr int kLanes = Vector::kLanes, kVectors = 2;
    double total = 0;
    for (int64_t first = 0; first < n; first += kPiece) {
        const int64_t last = std::min(n, first + kPiece);
        typename Vector::Lanes sums[kVectors] = {};
        int64_t i = first;
        for (; i + kVectors * kLanes <= last; i += kVectors * kLanes)
            for (int v = 0; v < kVectors; ++v) {
                const auto d = Vector::at(a + i + v * kLanes) - Vector::at(b + i + v * kLanes);
                sums[v] += d < 0 ? -d : d;
            }
        T sum = 0;
        for (int k = 0; k < kLanes; ++k) sum += sums[0][k] + sums[1][k];
        for (; i < last; ++i) sum += std::fabs(a[i] - b[i]);
        total += static_cast<double>(sum);
    }
    return total;
}

int64_t rows_per_piece(PictureShape s) {
    return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, s.width));
}

// Row r of the slopes: Σ sign(x - neighbour), without the subtraction, which may overflow.
template <class T>
void find_slopes(PictureShape s, int64_t r, const T* x, uint8_t* slopes) {
    using Vector = Vector<T>;
    const int64_t h = r % s.height, last = s.width - 1;
    const T* row = x + r * s.width;
    // at the rim a pixel is its own neighbour, from which it does not differ
    const T* above = h > 0 ? row - s.width : row;
    const T* below = h + 1 < s.height ? row + s.width : row;
    uint8_t* out = slopes + r * s.width;
    const auto one = [&](int64_t w, int64_t left, int64_t right) {
        int slope = kNoSlope;
        for (const T there : {above[w], row[left], below[w], row[right]})
            slope += (row[w] > there) - (row[w] < there);
        out[w] = static_cast<uint8_t>(slope);
    };
    one(0, 0, std::min<int64_t>(1, last));
    int64_t w = 1;
    while (w + Vector::kLanes <= last) {
        constexpr int64_t kMost = 256;
        const int64_t count = std::min(kMost, (last - w) / Vector::kLanes * Vector::kLanes);
        alignas(32) typename Vector::Integer wide[kMost];
        for (int64_t i = 0; i < count; i += Vector::kLanes) {
            const auto& here = Vector::at(row + w + i);
            auto slope = (here < here) + kNoSlope;  // a comparison that holds is -1
            for (const T* there : {above, row - 1, below, row + 1})
                slope += (here < Vector::at(there + w + i)) - (here > Vector::at(there + w + i));
            std::memcpy(wide + i, &slope, sizeof slope);
        }
        for (int64_t i = 0; i < count; ++i) out[w + i] = static_cast<uint8_t>(wide[i]);
        w += count;
    }
    for (; w < last; ++w) one(w, w - 1, w + 1);
    if (last > 0) one(last, last - 1, last);
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
