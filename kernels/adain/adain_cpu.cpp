// SPDX-License-Identifier: MIT
#include <cmath>

#include "kernels/adain/adain.h"
#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

// Elements at once, so that the loops become vector code. Element i is plane i % lanes of its group, and so
// is k = i % kLanes: what depends on the plane stands in arrays of kLanes.
constexpr int64_t kLanes = 16;

// total[c] = Σ of term(i, k) over the elements i < n of plane c of a group
template <class Term>
inline void sum_of(int64_t n, int64_t lanes, double (&total)[kLanes], const Term& term) {
    double lane[kLanes] = {};
    for (double& sum : total) sum = 0;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int64_t k = 0; k < kLanes; ++k) lane[k] += term(i + k, k);
    for (int64_t k = 0; i + k < n; ++k) total[k % lanes] += term(i + k, k);
    for (int64_t k = 0; k < kLanes; ++k) total[k % lanes] += lane[k];
    for (int64_t k = lanes; k < kLanes; ++k) total[k] = total[k % lanes];
}

// write(i, k) for every element
template <class Write>
inline void for_each(int64_t n, const Write& write) {
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes)
        for (int64_t k = 0; k < kLanes; ++k) write(i + k, k);
    for (int64_t k = 0; i + k < n; ++k) write(i + k, k);
}

// body(first plane, first element) of every group of planes that lie side by side
template <class Body>
void for_each_group(const AdainShape& s, const Body& body) {
    const int64_t size = s.positions * s.lanes;
    parallel_for(s.planes / s.lanes, std::max<int64_t>(1, kGrain / size), [=](int64_t begin, int64_t end) {
        for (int64_t group = begin; group < end; ++group) body(group * s.lanes, group * size);
    });
}

template <class T>
void forward(Queue&, const AdainShape& shape, const T* x, const T* s, const T* b, T* y, T* statistics) {
    const int64_t lanes = shape.lanes, n = shape.positions * lanes;
    const double count = static_cast<double>(shape.positions), eps = shape.eps;
    T *mean = statistics, *rest = mean + shape.planes, *rstd = rest + shape.planes;
    for_each_group(shape, [=](int64_t first, int64_t offset) {
        const T* in = x + offset;
        T* out = y + offset;
        double centre[kLanes], squares[kLanes];
        sum_of(n, lanes, centre, [=](int64_t i, int64_t) { return static_cast<double>(in[i]); });
        for (double& c : centre) c /= count;
        sum_of(n, lanes, squares, [&](int64_t i, int64_t k) {
            const double d = in[i] - centre[k];
            return d * d;
        });
        T near[kLanes], scale[kLanes], shift[kLanes];
        for (int64_t k = 0; k < kLanes; ++k) {
            const int64_t plane = first + k % lanes;
            const double spread = squares[k] / count + eps;
            near[k] = static_cast<T>(centre[k]);
            const T r = static_cast<T>(spread == 0 ? 0 : 1 / std::sqrt(spread));
            scale[k] = s ? r * (1 + s[plane]) : r;
            const T cut = static_cast<T>(centre[k] - near[k]);
            shift[k] = (b ? b[plane] : T(0)) - cut * scale[k];
            mean[plane] = near[k], rest[plane] = cut, rstd[plane] = r;
        }
        for_each(n, [&](int64_t i, int64_t k) { out[i] = (in[i] - near[k]) * scale[k] + shift[k]; });
    });
}

template <class T>
void backward(Queue&, const AdainShape& shape, const T* x, const T* s, const T* statistics, const T* dy,
              T* dx, T* ds, T* db) {
    const int64_t lanes = shape.lanes, n = shape.positions * lanes;
    const double count = static_cast<double>(shape.positions);
    const T *mean = statistics, *rest = mean + shape.planes, *rstd = rest + shape.planes;
    for_each_group(shape, [=](int64_t first, int64_t offset) {
        const T *in = x + offset, *slope = dy + offset;
        T* out = dx + offset;
        T near[kLanes], r[kLanes];
        for (int64_t k = 0; k < kLanes; ++k)
            near[k] = mean[first + k % lanes], r[k] = rstd[first + k % lanes];
        double sum[kLanes], along[kLanes];
        sum_of(n, lanes, sum, [=](int64_t i, int64_t) { return static_cast<double>(slope[i]); });
        sum_of(n, lanes, along, [&](int64_t i, int64_t k) {
            return static_cast<double>(slope[i]) * static_cast<double>((in[i] - near[k]) * r[k]);
        });
        T scale[kLanes], tilt[kLanes], even[kLanes], slight[kLanes];
        for (int64_t k = 0; k < kLanes; ++k) {
            const int64_t plane = first + k % lanes;
            along[k] -= static_cast<double>(rest[plane] * r[k]) * sum[k];
            scale[k] = s ? r[k] * (1 + s[plane]) : r[k];
            // scale (dy - even - (slight + (x - near) tilt)), with even + slight = Σ dy / M - rest tilt
            const double steep = r[k] * along[k] / count, level = sum[k] / count - rest[plane] * steep;
            tilt[k] = static_cast<T>(steep);
            even[k] = static_cast<T>(level);
            slight[k] = static_cast<T>(level - even[k]);
            if (ds) ds[plane] = static_cast<T>(along[k]);
            if (db) db[plane] = static_cast<T>(sum[k]);
        }
        for_each(n, [&](int64_t i, int64_t k) {
            out[i] = scale[k] * (slope[i] - even[k] - (slight[k] + (in[i] - near[k]) * tilt[k]));
        });
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
