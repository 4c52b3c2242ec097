// SPDX-License-Identifier: MIT
// f64: the plain loops. f32: a row of y is a weighted sum of rows of x, kept in the first-level cache with
// zeros on both sides, and then of itself moved by one position after the other: x is read once, y written
// once, and both sums run over neighbours in memory in every format.
#include "kernels/blur/blur.h"

#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

void forward(Queue&, const Planes& s, const BlurFilter& filter, const double* x, double* y) {
    const int r = filter.radius();
    const int64_t work = std::max<int64_t>(1, s.row() * filter.taps * filter.taps);
    parallel_for(s.planes * s.h, std::max<int64_t>(1, kGrain / work),
                 [=, &filter](int64_t begin, int64_t end) {
                     for (int64_t row = begin; row < end; ++row) {
                         const int64_t plane = row / s.h, i = row % s.h;
                         for (int64_t j = 0; j < s.w; ++j)
                             for (int64_t l = 0; l < s.lanes; ++l) {
                                 double sum = 0;
                                 for (int a = 0; a < filter.taps; ++a)
                                     for (int b = 0; b < filter.taps; ++b) {
                                         const int64_t p = i + a - r, q = j + b - r;
                                         if (p < 0 || p >= s.h || q < 0 || q >= s.w) continue;
                                         sum += filter.tap[a] * filter.tap[b] *
                                                x[((plane * s.h + p) * s.w + q) * s.lanes + l];
                                     }
                                 y[(row * s.w + j) * s.lanes + l] = sum;
                             }
                     }
                 });
}

struct Taps {
    int count;
    float weight[BlurFilter::kMaxTaps];
};

// y[k] = Σ_t weight[t] x_t[k], where x_t = from(t): three terms in the first pass, two in each other.
template <class From>
void weighted_sum(const Taps& taps, int64_t n, const From& from, float* __restrict y) {
    const float* const first = from(0);
    const float w = taps.weight[0];
    if (taps.count == 1) {
        for (int64_t k = 0; k < n; ++k) y[k] = w * first[k];
        return;
    }
    for (int t = 1; t < taps.count; t += 2) {
        const float v = taps.weight[t], u = taps.weight[t + 1];
        const float *a = from(t), *b = from(t + 1);
        if (t == 1)
            for (int64_t k = 0; k < n; ++k) y[k] = w * first[k] + v * a[k] + u * b[k];
        else
            for (int64_t k = 0; k < n; ++k) y[k] += v * a[k] + u * b[k];
    }
}

void forward(Queue& queue, const Planes& s, const BlurFilter& filter, const float* x, float* y) {
    const int r = filter.radius();
    const int64_t n = s.row(), border = r * s.lanes, padded = n + 2 * border;
    Taps taps{filter.taps, {}};
    for (int t = 0; t < filter.taps; ++t) taps.weight[t] = static_cast<float>(filter.tap[t]);
    // per thread: the sum of rows between its borders, and a row of zeros that stands for those outside
    const auto scratch = queue.scratch<float>(max_threads() * (padded + n));
    float* const all = scratch.data();
    std::fill(all, all + max_threads() * (padded + n), 0.0f);
    parallel_for(s.planes * s.h, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, n)),
                 [=](int64_t begin, int64_t end) {
                     float* const sum = all + thread_number() * (padded + n);
                     const float* const zeros = sum + padded;
                     for (int64_t row = begin; row < end; ++row) {
                         const int64_t plane = row / s.h, i = row % s.h;
                         weighted_sum(
                             taps, n,
                             [&](int t) {
                                 const int64_t from = i + t - r;
                                 return from < 0 || from >= s.h ? zeros : x + (plane * s.h + from) * n;
                             },
                             sum + border);
                         weighted_sum(
                             taps, n, [&](int t) { return sum + t * s.lanes; }, y + row * n);
                     }
                 });
}

}  // namespace

template <class T>
const BlurKernels<T>& blur(Device device) {
    static const BlurKernels<T> cpu{forward};
    return choose(
        "blur", device, cpu, [](auto gpu) -> const auto& { return blur_on(gpu); });
}
template const BlurKernels<float>& blur(Device);
template const BlurKernels<double>& blur(Device);

}  // namespace lily::kernels
