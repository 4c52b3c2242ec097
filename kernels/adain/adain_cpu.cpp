// SPDX-License-Identifier: MIT
#include <cmath>
#include <type_traits>

#include "kernels/adain/adain.h"
#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

// Σ of term(i) for i < n. In f32 sixteen lanes add a run each, which is then added in double.
template <class T, class Term>
inline double sum_of(int64_t n, const Term& term) {
    double total = 0;
    if constexpr (std::is_same_v<T, double>) {
        for (int64_t i = 0; i < n; ++i) total += term(i);
    } else {
        constexpr int64_t kLanes = 16, kRun = 64 * kLanes;
        for (int64_t begin = 0; begin < n; begin += kRun) {
            const int64_t end = std::min(n, begin + kRun), whole = begin + (end - begin) / kLanes * kLanes;
            T lane[kLanes] = {};
            for (int64_t i = begin; i < whole; i += kLanes)
                for (int64_t k = 0; k < kLanes; ++k) lane[k] += term(i + k);
            for (int64_t i = whole; i < end; ++i) lane[0] += term(i);
            for (const T part : lane) total += static_cast<double>(part);
        }
    }
    return total;
}

int64_t planes_at_once(int64_t positions) { return std::max<int64_t>(1, kGrain / positions); }

template <class T>
void forward(Queue&, const AdainShape& shape, const T* x, const T* s, const T* b, T* y, T* mean, T* rstd) {
    const int64_t n = shape.positions;
    const double count = static_cast<double>(n), eps = shape.eps;
    parallel_for(shape.planes, planes_at_once(n), [=](int64_t begin, int64_t end) {
        for (int64_t plane = begin; plane < end; ++plane) {
            const T* in = x + plane * n;
            T* out = y + plane * n;
            const T centre = static_cast<T>(sum_of<T>(n, [=](int64_t i) { return in[i]; }) / count);
            const double variance =
                sum_of<T>(n, [=](int64_t i) { return (in[i] - centre) * (in[i] - centre); }) / count;
            const T r = static_cast<T>(1 / std::sqrt(variance + eps));
            const T scale = s ? r * (1 + s[plane]) : r, shift = b ? b[plane] : T(0);
            for (int64_t i = 0; i < n; ++i) out[i] = (in[i] - centre) * scale + shift;
            mean[plane] = centre;
            rstd[plane] = r;
        }
    });
}

template <class T>
void backward(Queue&, const AdainShape& shape, const T* x, const T* s, const T* mean, const T* rstd,
              const T* dy, T* dx, T* ds, T* db) {
    const int64_t n = shape.positions;
    const double count = static_cast<double>(n);
    parallel_for(shape.planes, planes_at_once(n), [=](int64_t begin, int64_t end) {
        for (int64_t plane = begin; plane < end; ++plane) {
            const T *in = x + plane * n, *slope = dy + plane * n;
            T* out = dx + plane * n;
            const T centre = mean[plane], r = rstd[plane];
            const double sum = sum_of<T>(n, [=](int64_t i) { return slope[i]; });
            const double along = sum_of<T>(n, [=](int64_t i) { return slope[i] * ((in[i] - centre) * r); });
            const T scale = s ? r * (1 + s[plane]) : r;
            const T even = static_cast<T>(sum / count), tilt = static_cast<T>(along / count);
            for (int64_t i = 0; i < n; ++i) out[i] = scale * (slope[i] - even - (in[i] - centre) * r * tilt);
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
