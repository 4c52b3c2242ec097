// SPDX-License-Identifier: MIT
#include "kernels/softmax/softmax.h"

#include <cmath>
#include <limits>

#include "kernels/common/parallel.h"
#include "kernels/common/vector_math.h"

namespace lily::kernels {
namespace {

constexpr int kLanes = 16;

// Σ f(k) over [0, n): 16 lanes of Lane side by side, every 4096 values added to a double.
template <class Lane, class F>
double sum_lanes(int64_t n, const F& f) {
    double total = 0;
    for (int64_t begin = 0; begin < n; begin += 4096) {
        const int64_t end = std::min(n, begin + 4096);
        Lane lane[kLanes] = {};
        int64_t k = begin;
        for (; k + kLanes <= end; k += kLanes)
            for (int l = 0; l < kLanes; ++l) lane[l] += f(k + l);
        for (int l = 0; l < kLanes; ++l) total += lane[l];
        for (; k < end; ++k) total += f(k);
    }
    return total;
}

// A NaN need not win here: exp(NaN - m) makes the row NaN anyway.
template <class T>
T max_lanes(int64_t n, const T* x) {
    T lane[kLanes];
    for (int l = 0; l < kLanes; ++l) lane[l] = -std::numeric_limits<T>::infinity();
    int64_t k = 0;
    for (; k + kLanes <= n; k += kLanes)
        for (int l = 0; l < kLanes; ++l) lane[l] = x[k + l] > lane[l] ? x[k + l] : lane[l];
    T best = lane[0];
    for (int l = 1; l < kLanes; ++l) best = lane[l] > best ? lane[l] : best;
    for (; k < n; ++k) best = x[k] > best ? x[k] : best;
    return best;
}

// row(offset) for every row of n neighbours.
template <class Row>
void for_each_row(SoftmaxShape s, const Row& row) {
    parallel_for(s.outer, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, s.n)),
                 [=](int64_t begin, int64_t end) {
                     for (int64_t o = begin; o < end; ++o) row(o * s.n);
                 });
}

// inner > 1: columns(offset, width) for up to 64 neighbouring columns, whose elements lie `inner` apart.
constexpr int64_t kColumns = 64;
template <class Columns>
void for_each_columns(SoftmaxShape s, const Columns& columns) {
    const int64_t groups = (s.inner + kColumns - 1) / kColumns;
    parallel_for(s.outer * groups, std::max<int64_t>(1, kGrain / (kColumns * std::max<int64_t>(1, s.n))),
                 [=](int64_t begin, int64_t end) {
                     for (int64_t g = begin; g < end; ++g) {
                         const int64_t first = g % groups * kColumns;
                         columns(g / groups * s.n * s.inner + first, std::min(kColumns, s.inner - first));
                     }
                 });
}

template <class T, bool log>
void forward(Queue&, SoftmaxShape s, const T* x, T* y) {
    if (s.inner == 1)
        return for_each_row(s, [=](int64_t at) {
            const T* in = x + at;
            T* out = y + at;
            const T m = max_lanes(s.n, in);
            if constexpr (log) {
                const double total = sum_lanes<T>(s.n, [=](int64_t k) { return fast_exp(in[k] - m); });
                const T log_total = static_cast<T>(std::log(total));
                for (int64_t k = 0; k < s.n; ++k) out[k] = in[k] - m - log_total;
            } else {
                for (int64_t k = 0; k < s.n; ++k) out[k] = fast_exp(in[k] - m);
                const T total = static_cast<T>(sum_lanes<T>(s.n, [=](int64_t k) { return out[k]; }));
                for (int64_t k = 0; k < s.n; ++k) out[k] /= total;
            }
        });
    for_each_columns(s, [=](int64_t at, int64_t width) {
        T m[kColumns], last[kColumns];
        double total[kColumns] = {};
        for (int64_t i = 0; i < width; ++i) m[i] = -std::numeric_limits<T>::infinity();
        for (int64_t k = 0; k < s.n; ++k) {
            const T* in = x + at + k * s.inner;
            for (int64_t i = 0; i < width; ++i) m[i] = in[i] > m[i] ? in[i] : m[i];
        }
        for (int64_t k = 0; k < s.n; ++k) {
            const T* in = x + at + k * s.inner;
            T* out = y + at + k * s.inner;
            for (int64_t i = 0; i < width; ++i) {
                const T e = fast_exp(in[i] - m[i]);
                total[i] += e;
                out[i] = log ? in[i] - m[i] : e;
            }
        }
        for (int64_t i = 0; i < width; ++i) last[i] = static_cast<T>(log ? std::log(total[i]) : total[i]);
        for (int64_t k = 0; k < s.n; ++k) {
            T* out = y + at + k * s.inner;
            for (int64_t i = 0; i < width; ++i) out[i] = log ? out[i] - last[i] : out[i] / last[i];
        }
    });
}

template <class T, bool log>
void backward(Queue&, SoftmaxShape s, const T* y, const T* dy, T* dx) {
    // dx = y (dy - Σ y dy), or dy - exp(y) Σ dy
    const auto term = [](T v, T dv) { return log ? dv : v * dv; };
    const auto gradient = [](T v, T dv, T sum) { return log ? dv - fast_exp(v) * sum : v * (dv - sum); };
    if (s.inner == 1)
        return for_each_row(s, [=](int64_t at) {
            const T *v = y + at, *dv = dy + at;
            T* out = dx + at;
            // in double: huge gradients may cancel
            const T sum =
                static_cast<T>(sum_lanes<double>(s.n, [=](int64_t k) { return term(v[k], dv[k]); }));
            for (int64_t k = 0; k < s.n; ++k) out[k] = gradient(v[k], dv[k], sum);
        });
    for_each_columns(s, [=](int64_t at, int64_t width) {
        double total[kColumns] = {};
        for (int64_t k = 0; k < s.n; ++k)
            for (int64_t i = 0; i < width; ++i)
                total[i] += term(y[at + k * s.inner + i], dy[at + k * s.inner + i]);
        T sum[kColumns];
        for (int64_t i = 0; i < width; ++i) sum[i] = static_cast<T>(total[i]);
        for (int64_t k = 0; k < s.n; ++k) {
            const int64_t row = at + k * s.inner;
            for (int64_t i = 0; i < width; ++i) dx[row + i] = gradient(y[row + i], dy[row + i], sum[i]);
        }
    });
}

}  // namespace

template <class T>
const SoftmaxKernels<T>& softmax(Device device) {
    static const SoftmaxKernels<T> cpu{forward<T, false>, backward<T, false>, forward<T, true>,
                                       backward<T, true>};
    return choose(
        "softmax", device, cpu, [](auto gpu) -> const auto& { return softmax_on(gpu); });
}
template const SoftmaxKernels<float>& softmax(Device);
template const SoftmaxKernels<double>& softmax(Device);

}  // namespace lily::kernels
