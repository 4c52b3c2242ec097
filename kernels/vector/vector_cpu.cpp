// SPDX-License-Identifier: MIT
#include <cmath>

#include "kernels/common/reduce_terms.h"
#include "kernels/vector/vector.h"

namespace lily::kernels {
namespace {

template <class T>
double dot(Queue& queue, int64_t n, const T* x, const T* y) {
    return reduce_terms(
        queue, n, [=](int64_t i) { return double(x[i]) * double(y[i]); }, kSum);
}

template <class T>
double abs_sum(Queue& queue, int64_t n, const T* x) {
    return reduce_terms(
        queue, n, [=](int64_t i) { return std::fabs(double(x[i])); }, kSum);
}

template <class T>
double abs_max(Queue& queue, int64_t n, const T* x) {
    return reduce_terms(
        queue, n, [=](int64_t i) { return std::fabs(double(x[i])); }, kLargest);
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
