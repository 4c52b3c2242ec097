// SPDX-License-Identifier: MIT
#include "kernels/resample/resample.h"

#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

constexpr int64_t kWidth = 256;  // neighbours of `inner` per pass, summed in a local array
constexpr int64_t kRows = 16;    // inner = 1: rows that are turned side by side

// y[i] = Σ_t w[t] x[index[t]·stride + i] for i in [0, width), width <= kMost
template <int64_t kMost, class T>
void weighted_sum(int64_t first, int64_t last, const int64_t* index, const T* weight, int64_t width,
                  int64_t stride, const T* x, T* y) {
    T sum[kMost] = {};
    for (int64_t t = first; t < last; ++t) {
        const T w = weight[t];
        const T* from = x + index[t] * stride;
        for (int64_t i = 0; i < width; ++i) sum[i] += w * from[i];
    }
    for (int64_t i = 0; i < width; ++i) y[i] = sum[i];
}

// inner = 1: 16 rows at a time are transposed to (n, 16), so that neighbours in memory share their weights.
template <class T>
void apply_rows(Queue& queue, ResampleShape s, const int64_t* start, const int64_t* index, const T* weight,
                const T* x, T* y) {
    const int64_t groups = (s.outer + kRows - 1) / kRows;
    const auto scratch = queue.scratch<T>(max_threads() * s.n * kRows);
    T* const all_turned = scratch.data();
    parallel_for(groups, std::max<int64_t>(1, kGrain / (kRows * (s.n + s.m))),
                 [=](int64_t begin, int64_t end) {
                     T* turned = all_turned + thread_number() * s.n * kRows;
                     for (int64_t g = begin; g < end; ++g) {
                         const int64_t rows = std::min(kRows, s.outer - g * kRows);
                         const T* in = x + g * kRows * s.n;
                         T* out = y + g * kRows * s.m;
                         for (int64_t r = 0; r < kRows; ++r)
                             for (int64_t k = 0; k < s.n; ++k)
                                 turned[k * kRows + r] = r < rows ? in[r * s.n + k] : T(0);
                         for (int64_t j = 0; j < s.m; ++j) {
                             T sum[kRows] = {};
                             for (int64_t t = start[j]; t < start[j + 1]; ++t)
                                 for (int64_t r = 0; r < kRows; ++r)
                                     sum[r] += weight[t] * turned[index[t] * kRows + r];
                             for (int64_t r = 0; r < rows; ++r) out[r * s.m + j] = sum[r];
                         }
                     }
                 });
}

template <class T>
void apply(Queue& queue, ResampleShape s, const int64_t* start, const int64_t* index, const T* weight,
           const T* x, T* y) {
    if (s.outer * s.m * s.inner == 0) return;
    if (s.inner == 1) return apply_rows(queue, s, start, index, weight, x, y);
    parallel_for(s.outer * s.m, std::max<int64_t>(1, kGrain / s.inner), [=](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const int64_t j = row % s.m;
            const T* in = x + row / s.m * s.n * s.inner;
            if (s.inner <= kRows)  // a block of channels
                weighted_sum<kRows>(start[j], start[j + 1], index, weight, s.inner, s.inner, in,
                                    y + row * s.inner);
            else
                for (int64_t i = 0; i < s.inner; i += kWidth)
                    weighted_sum<kWidth>(start[j], start[j + 1], index, weight, std::min(kWidth, s.inner - i),
                                         s.inner, in + i, y + row * s.inner + i);
        }
    });
}

}  // namespace

template <class T>
const ResampleKernels<T>& resample(Device device) {
    static const ResampleKernels<T> cpu{apply<T>};
    return choose(
        "resample", device, cpu, [](auto gpu) -> const auto& { return resample_on(gpu); });
}
template const ResampleKernels<float>& resample(Device);
template const ResampleKernels<double>& resample(Device);

}  // namespace lily::kernels
