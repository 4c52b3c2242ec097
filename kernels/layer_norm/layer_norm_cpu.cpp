// SPDX-License-Identifier: MIT
// A row is read from memory once and then from the first-level cache; its sums are kept in double, 16 side by
// side.
#include "kernels/layer_norm/layer_norm.h"

#include <cmath>

#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

constexpr int kLanes = 16;
constexpr int64_t kColumns = 64;  // whose sums over the rows are kept side by side

int64_t rows_per_piece(const LayerNormShape& s) {
    return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, s.n));
}

// Σ term(i) over [0, n)
template <class Term>
inline double sum_of_row(int64_t n, const Term& term) {
    double lane[kLanes] = {}, total = 0;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int k = 0; k < kLanes; ++k) lane[k] += term(i + k);
    for (int k = 0; k < kLanes; ++k) total += lane[k];
    for (; i < n; ++i) total += term(i);
    return total;
}

template <class T>
void forward(Queue&, const LayerNormShape& s, const T* x, const T* weight, const T* bias, T* y,
             T* statistics) {
    parallel_for(s.rows, rows_per_piece(s), [=](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const T* in = x + row * s.n;
            T* __restrict out = y + row * s.n;
            const auto count = static_cast<double>(s.n);
            const double mean =
                sum_of_row(s.n, [=](int64_t i) { return static_cast<double>(in[i]); }) / count;
            const double squares =
                sum_of_row(s.n, [=](int64_t i) { return (in[i] - mean) * (in[i] - mean); });
            const double spread = squares / count + s.eps;
            const T near = static_cast<T>(mean), rest = static_cast<T>(mean - static_cast<double>(near));
            const T r = static_cast<T>(spread == 0 ? 0 : 1 / std::sqrt(spread)), shift = rest * r;
            for (int64_t i = 0; i < s.n; ++i) out[i] = (in[i] - near) * r - shift;
            if (weight)
                for (int64_t i = 0; i < s.n; ++i) out[i] *= weight[i];
            if (bias)
                for (int64_t i = 0; i < s.n; ++i) out[i] += bias[i];
            statistics[row] = near;
            statistics[s.rows + row] = rest;
            statistics[2 * s.rows + row] = r;
        }
    });
}

template <class T>
void backward_rows(const LayerNormShape& s, const T* x, const T* weight, const T* statistics, const T* dy,
                   T* dx) {
    parallel_for(s.rows, rows_per_piece(s), [=](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const T *in = x + row * s.n, *upstream = dy + row * s.n;
            T* __restrict out = dx + row * s.n;
            const T near = statistics[row], r = statistics[2 * s.rows + row],
                    shift = statistics[s.rows + row] * r;
            const auto backward_row = [=](const auto& g) {
                const auto x_hat = [=](int64_t i) { return static_cast<double>((in[i] - near) * r - shift); };
                const double mean = sum_of_row(s.n, g) / static_cast<double>(s.n);
                const double along =
                    sum_of_row(s.n, [=](int64_t i) { return g(i) * x_hat(i); }) / static_cast<double>(s.n);
                for (int64_t i = 0; i < s.n; ++i)
                    out[i] = static_cast<T>(r * (g(i) - mean - x_hat(i) * along));
            };
            if (weight)
                backward_row([=](int64_t i) { return static_cast<double>(upstream[i]) * weight[i]; });
            else
                backward_row([=](int64_t i) { return static_cast<double>(upstream[i]); });
        }
    });
}

// dweight and dbias, a group of columns at a time through all rows.
template <class T>
void backward_columns(const LayerNormShape& s, const T* x, const T* statistics, const T* dy, T* dweight,
                      T* dbias) {
    const int64_t pieces = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, s.rows * kColumns));
    parallel_for(ceil_div(s.n, kColumns), pieces, [=](int64_t begin, int64_t end) {
        for (int64_t group = begin; group < end; ++group) {
            const int64_t first = group * kColumns, width = std::min(kColumns, s.n - first);
            double along[kColumns] = {}, sum[kColumns] = {};
            for (int64_t row = 0; row < s.rows; ++row) {
                const T *in = x + row * s.n + first, *upstream = dy + row * s.n + first;
                const T near = statistics[row], r = statistics[2 * s.rows + row],
                        shift = statistics[s.rows + row] * r;
                for (int64_t c = 0; c < width; ++c) {
                    sum[c] += upstream[c];
                    along[c] +=
                        static_cast<double>(upstream[c]) * static_cast<double>((in[c] - near) * r - shift);
                }
            }
            if (dweight)
                for (int64_t c = 0; c < width; ++c) dweight[first + c] = static_cast<T>(along[c]);
            if (dbias)
                for (int64_t c = 0; c < width; ++c) dbias[first + c] = static_cast<T>(sum[c]);
        }
    });
}

template <class T>
void backward(Queue&, const LayerNormShape& s, const T* x, const T* weight, const T* statistics, const T* dy,
              T* dx, T* dweight, T* dbias) {
    if (dx) backward_rows(s, x, weight, statistics, dy, dx);
    if (dweight || dbias) backward_columns(s, x, statistics, dy, dweight, dbias);
}

}  // namespace

template <class T>
const LayerNormKernels<T>& layer_norm(Device device) {
    static const LayerNormKernels<T> cpu{forward<T>, backward<T>};
    return choose(
        "layer_norm", device, cpu, [](auto gpu) -> const auto& { return layer_norm_on(gpu); });
}
template const LayerNormKernels<float>& layer_norm(Device);
template const LayerNormKernels<double>& layer_norm(Device);

}  // namespace lily::kernels
