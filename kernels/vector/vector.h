// SPDX-License-Identifier: MIT
// What quasi-Newton methods and running averages do to long vectors. Sums are accumulated in double, in a
// fixed order.
//   dot      Σ x_i y_i
//   abs_sum  Σ |x_i|
//   abs_max  max |x_i|, 0 for n = 0; NaN wins
//   axpy     y ← y + α x
//   lerp     y ← y + α (x - y)
// and to many vectors at once, on a GPU with as many launches as for one:
//   squares  Σ x_i² over all of them
//   scale    y = α x
#pragma once

#include <cstdint>
#include <span>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

template <class T>
struct VectorPair {
    int64_t n;
    const T* x;  // (n)
    T* y;        // (n)
};

template <class T>
struct VectorKernels {
    double (*dot)(Queue&, int64_t n, const T* x, const T* y);         // x, y (n)
    double (*abs_sum)(Queue&, int64_t n, const T* x);                 // x (n)
    double (*abs_max)(Queue&, int64_t n, const T* x);                 // x (n)
    void (*axpy)(Queue&, int64_t n, double alpha, const T* x, T* y);  // x, y (n)
    double (*squares)(Queue&, std::span<const VectorPair<T>>);        // does not look at y
    void (*scale)(Queue&, double alpha, std::span<const VectorPair<T>>);
    void (*lerp)(Queue&, double alpha, std::span<const VectorPair<T>>);
};
template <class T>
const VectorKernels<T>& vector(Device device);
const VectorKernels<float>& vector_on(simt::Gpu);  // vector.cu
const VectorKernels<float>& vector_on(cuda::Gpu);

}  // namespace lily::kernels
