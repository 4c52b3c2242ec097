// SPDX-License-Identifier: MIT
#include <cmath>

#include "kernels/adain/adain.h"
#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

// Σ of term(i) for i < n: sixteen lanes, so that the loop becomes vector code.
template <class Term>
inline double sum_of(int64_t n, const Term& term) {
    constexpr int64_t kLanes = 16;
    double lane[kLanes] = {}, total = 0;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int64_t k = 0; k < kLanes; ++k) lane[k] += term(i + k);
    for (; i < n; ++i) total += term(i);
    for (const double part : lane) total += part;
    return total;
}

int64_t planes_at_once(int64_t positions) { return std::max<int64_t>(1, kGrain / positions); }

template <class T>
void forward(Queue&, const AdainShape& shape, const T* x, const T* s, const T* b, T* y, T* statistics) {
    const int64_t n = shape.positions;
    const double count = static_cast<double>(n), eps = shape.eps;
    T *mean = statistics, *rest = mean + shape.planes, *rstd = rest + shape.planes;
    parallel_for(shape.planes, planes_at_once(n), [=](int64_t begin, int64_t end) {
        for (int64_t plane = begin; plane < end; ++plane) {
            const T* in = x + plane * n;
            T* out = y + plane * n;
            const double centre = sum_of(n, [=](int64_t i) { return static_cast<double>(in[i]); }) / count;
            const double squares = sum_of(n, [=](int64_t i) {
                const double d = in[i] - centre;
                return d * d;
            });
            const double spread = squares / count + eps;
            const T near = static_cast<T>(centre),
                    r = static_cast<T>(spread == 0 ? 0 : 1 / std::sqrt(spread));
            const T scale = s ? r * (1 + s[plane]) : r;
            rest[plane] = static_cast<T>(centre - near);
            const T shift = (b ? b[plane] : T(0)) - rest[plane] * scale;
            for (int64_t i = 0; i < n; ++i) out[i] = (in[i] - near) * scale + shift;
            mean[plane] = near;
            rstd[plane] = r;
        }
    });
}

template <class T>
void backward(Queue&, const AdainShape& shape, const T* x, const T* s, const T* statistics, const T* dy,
              T* dx, T* ds, T* db) {
    const int64_t n = shape.positions;
    const double count = static_cast<double>(n);
    const T *mean = statistics, *rest = mean + shape.planes, *rstd = rest + shape.planes;
    parallel_for(shape.planes, planes_at_once(n), [=](int64_t begin, int64_t end) {
        for (int64_t plane = begin; plane < end; ++plane) {
            const T *in = x + plane * n, *slope = dy + plane * n;
            T* out = dx + plane * n;
            const T near = mean[plane], r = rstd[plane];
            const double sum = sum_of(n, [=](int64_t i) { return static_cast<double>(slope[i]); });
            const double along =
                sum_of(n,
                       [=](int64_t i) {
                           return static_cast<double>(slope[i]) * static_cast<double>((in[i] - near) * r);
                       }) -
                static_cast<double>(rest[plane] * r) * sum;
            const T scale = s ? r * (1 + s[plane]) : r;
            // scale (dy - even - (slight + (x - near) tilt)), with even + slight = Σ dy / M - rest tilt
            const double steep = r * along / count, offset = sum / count - rest[plane] * steep;
            const T tilt = static_cast<T>(steep), even = static_cast<T>(offset);
            const T slight = static_cast<T>(offset - even);
            for (int64_t i = 0; i < n; ++i)
                out[i] = scale * (slope[i] - even - (slight + (in[i] - near) * tilt));
            if (ds) ds[plane] = static_cast<T>(along);
            if (db) db[plane] = static_cast<T>(sum);
        }
    });
}

}  // namespace

template <class T>
const AdainKernels<T>& adain(Device device) {
    static const AdainKernels<T> cpu{forward<T>, backward<T>};
    return choose(
        "adain", device, cpu, [](auto gpu) -> const auto& { return adain_on(gpu); });
}
template const AdainKernels<float>& adain(Device);
template const AdainKernels<double>& adain(Device);

}  // namespace lily::kernels
