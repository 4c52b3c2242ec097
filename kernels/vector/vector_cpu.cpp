// SPDX-License-Identifier: MIT
#include <cmath>

#include "kernels/common/parallel.h"
#include "kernels/vector/vector.h"

namespace lily::kernels {
namespace {

constexpr int kLanes = 16;

// Folds term(i) over [0, n) with `fold`, which starts from 0: 16 lanes side by side per piece of kGrain, then
// the pieces in order.
template <class Term, class Fold>
double reduce_terms(Queue& queue, int64_t n, const Term& term, const Fold& fold) {
    const int64_t pieces = (n + kGrain - 1) / kGrain;
    const auto scratch = queue.scratch<double>(pieces);
    double* partials = scratch.data();
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        double lane[kLanes] = {};
        int64_t i = begin;
        for (; i + kLanes <= end; i += kLanes)
            for (int k = 0; k < kLanes; ++k) lane[k] = fold(lane[k], term(i + k));
        double total = 0;
        for (int k = 0; k < kLanes; ++k) total = fold(total, lane[k]);
        for (; i < end; ++i) total = fold(total, term(i));
        partials[begin / kGrain] = total;
    });
    double total = 0;
    for (int64_t i = 0; i < pieces; ++i) total = fold(total, partials[i]);
    return total;
}

constexpr auto kAdd = [](double sum, double v) { return sum + v; };
constexpr auto kMaximum = [](double most, double v) { return v > most || v != v ? v : most; };

template <class T>
double dot(Queue& queue, int64_t n, const T* x, const T* y) {
    return reduce_terms(
        queue, n, [=](int64_t i) { return double(x[i]) * double(y[i]); }, kAdd);
}

template <class T>
double abs_sum(Queue& queue, int64_t n, const T* x) {
    return reduce_terms(
        queue, n, [=](int64_t i) { return std::fabs(double(x[i])); }, kAdd);
}

template <class T>
double abs_max(Queue& queue, int64_t n, const T* x) {
    return reduce_terms(
        queue, n, [=](int64_t i) { return std::fabs(double(x[i])); }, kMaximum);
}

template <class T>
void axpy(Queue&, int64_t n, double alpha, const T* x, T* y) {
    const T a = static_cast<T>(alpha);
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) y[i] += a * x[i];
    });
}

template <class T>
void lerp(Queue&, int64_t n, double alpha, const T* x, T* y) {
    const T a = static_cast<T>(alpha);
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) y[i] += a * (x[i] - y[i]);
    });
}

}  // namespace

template <class T>
const VectorKernels<T>& vector(Device device) {
    static const VectorKernels<T> cpu{dot<T>, abs_sum<T>, abs_max<T>, axpy<T>, lerp<T>};
    return choose(
        "vector", device, cpu, [](auto gpu) -> const auto& { return vector_on(gpu); });
}
template const VectorKernels<float>& vector(Device);
template const VectorKernels<double>& vector(Device);

}  // namespace lily::kernels
