// SPDX-License-Identifier: MIT
#include <algorithm>
#include <bit>
#include <cmath>
#include <type_traits>

#include "kernels/common/sum_terms.h"
#include "kernels/vector/vector.h"

namespace lily::kernels {
namespace {

template <class T>
double dot(Queue& queue, int64_t n, const T* x, const T* y) {
    return sum_terms(queue, n, [=](int64_t i) { return double(x[i]) * double(y[i]); });
}

template <class T>
double abs_sum(Queue& queue, int64_t n, const T* x) {
    return sum_terms(queue, n, [=](int64_t i) { return std::fabs(double(x[i])); });
}

// Without their signs numbers are ordered as the integers of their bits are, and NaN is above infinity: a
// loop of integer maxima, which runs at the speed of memory.
template <class T>
double abs_max(Queue& queue, int64_t n, const T* x) {
    using Bits = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;
    const int64_t pieces = ceil_div(n, kGrain);
    const auto scratch = queue.scratch<Bits>(pieces);
    Bits* most_of = scratch.data();
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        Bits most = 0;
        for (int64_t i = begin; i < end; ++i)
            most = std::max<Bits>(most, std::bit_cast<Bits>(x[i]) & (~Bits{0} >> 1));
        most_of[begin / kGrain] = most;
    });
    Bits most = 0;
    for (int64_t i = 0; i < pieces; ++i) most = std::max(most, most_of[i]);
    return static_cast<double>(std::bit_cast<T>(most));
}

template <class T>
void axpy(Queue&, int64_t n, double alpha, const T* x, T* y) {
    const T a = static_cast<T>(alpha);
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) y[i] += a * x[i];
    });
}

template <class T>
double squares(Queue& queue, std::span<const VectorPair<T>> pairs) {
    double sum = 0;
    for (const VectorPair<T>& a : pairs) sum += dot(queue, a.n, a.x, a.x);
    return sum;
}

template <class T>
void scale(Queue&, double alpha, std::span<const VectorPair<T>> pairs) {
    const T a = static_cast<T>(alpha);
    for (const VectorPair<T>& pair : pairs)
        parallel_for(pair.n, kGrain, [=, x = pair.x, y = pair.y](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) y[i] = a * x[i];
        });
}

template <class T>
void lerp(Queue&, VectorFactor alpha, std::span<const VectorPair<T>> pairs) {
    const T a = static_cast<T>(alpha.value);
    for (const VectorPair<T>& pair : pairs)
        parallel_for(pair.n, kGrain, [=, x = pair.x, y = pair.y](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i) y[i] += a * (x[i] - y[i]);
        });
}

template <class T>
void clip(Queue& queue, double c, std::span<const VectorPair<T>> pairs, double* r) {
    *r = std::sqrt(squares(queue, pairs));
    const double factor = c / (*r + 1e-6);
    scale(queue, factor >= 1 ? 1 : factor, pairs);
}

}  // namespace

template <class T>
const VectorKernels<T>& vector(Device device) {
    static const VectorKernels<T> cpu{dot<T>,     abs_sum<T>, abs_max<T>, axpy<T>,
                                      squares<T>, scale<T>,   lerp<T>,    clip<T>};
    return choose(
        "vector", device, cpu, [](auto gpu) -> const auto& { return vector_on(gpu); });
}
template const VectorKernels<float>& vector(Device);
template const VectorKernels<double>& vector(Device);

}  // namespace lily::kernels
