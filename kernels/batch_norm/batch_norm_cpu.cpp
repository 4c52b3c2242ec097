// SPDX-License-Identifier: MIT
// A task is a group of channels that lie side by side where inner = 1 or in blocks, else one channel. A group
// is read three times, from near memory after the first.
#include <cmath>

#include "kernels/batch_norm/batch_norm.h"
#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

constexpr int kColumns = 64;  // channels of a group where inner = 1
constexpr int kLanes = 16;

int64_t channels_per_piece(const BatchNormShape& s) {
    const int64_t most = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, s.n * s.inner));
    const int64_t whole = s.inner == 1 ? kColumns : s.lanes;
    return (most + whole - 1) / whole * whole;
}

// body(std::integral_constant) with the number of lanes.
template <class Body>
inline void with_lanes(const BatchNormShape& s, const Body& body) {
    s.lanes == 16 ? body(std::integral_constant<int, 16>{}) : body(std::integral_constant<int, 8>{});
}

// total[c] = Σ term(i, c) over the elements i of channel first + c, for `width` channels. Called inside of a
// vectorised loop.
template <class Term>
inline void sum_group(const BatchNormShape& s, int64_t first, int64_t width, double* total,
                      const Term& term) {
    for (int64_t c = 0; c < width; ++c) total[c] = 0;
    if (s.inner == 1) {
        for (int64_t row = 0; row < s.n; ++row)
            for (int64_t c = 0; c < width; ++c) total[c] += term(row * s.channels + first + c, c);
        return;
    }
    if (s.lanes > 1)
        return with_lanes(s, [&](auto lanes) {
            for (int64_t c = 0; c < width; c += lanes) {
                double lane[lanes] = {};
                for (int64_t row = 0; row < s.n; ++row) {
                    const int64_t begin = (row * s.channels + first + c) * s.inner;
                    for (int64_t i = 0; i < s.inner * lanes; i += lanes)
                        for (int k = 0; k < lanes; ++k) lane[k] += term(begin + i + k, c + k);
                }
                for (int k = 0; k < lanes; ++k) total[c + k] = lane[k];
            }
        });
    for (int64_t c = 0; c < width; ++c) {
        double lane[kLanes] = {};
        for (int64_t row = 0; row < s.n; ++row) {
            const int64_t begin = (row * s.channels + first + c) * s.inner;
            int64_t i = 0;
            for (; i + kLanes <= s.inner; i += kLanes)
                for (int k = 0; k < kLanes; ++k) lane[k] += term(begin + i + k, c);
            for (int k = 0; i + k < s.inner; ++k) lane[k] += term(begin + i + k, c);
        }
        for (int k = 0; k < kLanes; ++k) total[c] += lane[k];
    }
}

// write(i, c) for every element i of channel first + c.
template <class Write>
inline void for_each_of(const BatchNormShape& s, int64_t first, int64_t width, const Write& write) {
    for (int64_t row = 0; row < s.n; ++row) {
        const int64_t begin = (row * s.channels + first) * s.inner;
        if (s.inner == 1)
            for (int64_t c = 0; c < width; ++c) write(begin + c, c);
        else if (s.lanes > 1)
            with_lanes(s, [&](auto lanes) {
                for (int64_t c = 0; c < width; c += lanes)
                    for (int64_t i = 0; i < s.inner; ++i)
                        for (int k = 0; k < lanes; ++k) write(begin + c * s.inner + i * lanes + k, c + k);
            });
        else
            for (int64_t c = 0; c < width; ++c)
                for (int64_t i = 0; i < s.inner; ++i) write(begin + c * s.inner + i, c);
    }
}

// body(first channel, channels) for groups of at most kColumns channels.
template <class Body>
void for_each_group(const BatchNormShape& s, const Body& body) {
    parallel_for(s.channels, channels_per_piece(s), [=](int64_t begin, int64_t end) {
        for (int64_t first = begin; first < end; first += kColumns)
            body(first, std::min<int64_t>(kColumns, end - first));
    });
}

// y = (x - mean) scale + shift, channel by channel
template <class T>
inline void normalise(const BatchNormShape& s, int64_t first, int64_t width, const T* x, const T* weight,
                      const T* bias, const T* statistics, T* y) {
    const T *mean = statistics + first, *rest = mean + s.channels, *rstd = rest + s.channels;
    T center[kColumns], scale[kColumns], shift[kColumns];
    for (int64_t c = 0; c < width; ++c) {
        center[c] = mean[c];
        scale[c] = rstd[c] * (weight ? weight[first + c] : T(1));
        shift[c] = bias ? bias[first + c] : T(0);
        if (rest[c] != 0) shift[c] -= rest[c] * scale[c];
    }
    for_each_of(s, first, width,
                [&](int64_t i, int64_t c) { y[i] = (x[i] - center[c]) * scale[c] + shift[c]; });
}

template <class T>
void train(Queue&, BatchNormShape s, double momentum, const T* x, const T* weight, const T* bias,
           T* running_mean, T* running_var, T* statistics, T* y) {
    const auto m = static_cast<double>(s.n * s.inner);
    T *mean = statistics, *rest = mean + s.channels, *rstd = rest + s.channels;
    for_each_group(s, [=](int64_t first, int64_t width) {
        double center[kColumns], squares[kColumns];
        sum_group(s, first, width, center, [=](int64_t i, int64_t) { return static_cast<double>(x[i]); });
        for (int64_t c = 0; c < width; ++c) center[c] /= m;
        sum_group(s, first, width, squares, [&](int64_t i, int64_t c) {
            const double d = x[i] - center[c];
            return d * d;
        });
        for (int64_t c = 0; c < width; ++c) {
            const int64_t at = first + c;
            mean[at] = static_cast<T>(center[c]);
            rest[at] = static_cast<T>(center[c] - mean[at]);
            rstd[at] = static_cast<T>(1 / std::sqrt(squares[c] / m + s.eps));
            if (!running_mean) continue;
            running_mean[at] = static_cast<T>((1 - momentum) * running_mean[at] + momentum * center[c]);
            running_var[at] =
                static_cast<T>((1 - momentum) * running_var[at] + momentum * squares[c] / (m - 1));
        }
        normalise(s, first, width, x, weight, bias, statistics, y);
    });
}

template <class T>
void eval(Queue&, BatchNormShape s, const T* x, const T* weight, const T* bias, const T* mean, const T* var,
          T* statistics, T* y) {
    for_each_group(s, [=](int64_t first, int64_t width) {
        for (int64_t at = first; at < first + width; ++at) {
            statistics[at] = mean[at];
            statistics[s.channels + at] = 0;
            statistics[2 * s.channels + at] = static_cast<T>(1 / std::sqrt(var[at] + s.eps));
        }
        normalise(s, first, width, x, weight, bias, statistics, y);
    });
}

template <class T>
void backward(Queue&, BatchNormShape s, bool constant, const T* x, const T* weight, const T* statistics,
              const T* dy, T* dx, T* dweight, T* dbias) {
    const auto m = static_cast<double>(s.n * s.inner);
    for_each_group(s, [=](int64_t first, int64_t width) {
        const T *mean = statistics + first, *rest = mean + s.channels, *rstd = rest + s.channels;
        double sum_dy[kColumns], sum_dyx[kColumns];  // Σ dy and Σ dy x̂
        T center[kColumns], r[kColumns], scale[kColumns];
        for (int64_t c = 0; c < width; ++c) {
            center[c] = mean[c], r[c] = rstd[c];
            scale[c] = r[c] * (weight ? weight[first + c] : T(1));
        }
        if (!constant || dweight || dbias) {
            sum_group(s, first, width, sum_dy,
                      [=](int64_t i, int64_t) { return static_cast<double>(dy[i]); });
            sum_group(s, first, width, sum_dyx, [&](int64_t i, int64_t c) {
                return static_cast<double>(dy[i]) * static_cast<double>((x[i] - center[c]) * r[c]);
            });
        }
        for (int64_t c = 0; c < width; ++c) {
            if (!constant) sum_dyx[c] -= static_cast<double>(rest[c] * r[c]) * sum_dy[c];
            if (dweight) dweight[first + c] = static_cast<T>(sum_dyx[c]);
            if (dbias) dbias[first + c] = static_cast<T>(sum_dy[c]);
        }
        if (!dx) return;
        if (constant)
            return for_each_of(s, first, width, [&](int64_t i, int64_t c) { dx[i] = scale[c] * dy[i]; });
        // w r (dy - even - (slight + (x - mean) tilt)), with even + slight = db / m - rest tilt
        T even[kColumns], slight[kColumns], tilt[kColumns];
        for (int64_t c = 0; c < width; ++c) {
            const double slope = r[c] * sum_dyx[c] / m, offset = sum_dy[c] / m - rest[c] * slope;
            tilt[c] = static_cast<T>(slope);
            even[c] = static_cast<T>(offset);
            slight[c] = static_cast<T>(offset - even[c]);
        }
        for_each_of(s, first, width, [&](int64_t i, int64_t c) {
            dx[i] = scale[c] * (dy[i] - even[c] - (slight[c] + (x[i] - center[c]) * tilt[c]));
        });
    });
}

}  // namespace

template <class T>
const BatchNormKernels<T>& batch_norm(Device device) {
    static const BatchNormKernels<T> cpu{train<T>, eval<T>, backward<T>};
    return choose(
        "batch_norm", device, cpu, [](auto gpu) -> const auto& { return batch_norm_on(gpu); });
}
template const BatchNormKernels<float>& batch_norm(Device);
template const BatchNormKernels<double>& batch_norm(Device);

}  // namespace lily::kernels
