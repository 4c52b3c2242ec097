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
//   clip     y = x min(1, c / (r + 1e-6)), r = √(Σ x_i² over all of them): both stay on the device
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

// A number, or where a kernel on a GPU finds it.
struct VectorFactor {
    double value;
    const float* replayed;
    VectorFactor(double v, const float* there = nullptr) : value(v), replayed(there) {}
};

template <class T>
struct VectorKernels {
    double (*dot)(Queue&, int64_t n, const T* x, const T* y);         // x, y (n)
    double (*abs_sum)(Queue&, int64_t n, const T* x);                 // x (n)
    double (*abs_max)(Queue&, int64_t n, const T* x);                 // x (n)
    void (*axpy)(Queue&, int64_t n, double alpha, const T* x, T* y);  // x, y (n)
    double (*squares)(Queue&, std::span<const VectorPair<T>>);        // does not look at y
    void (*scale)(Queue&, double alpha, std::span<const VectorPair<T>>);
    void (*lerp)(Queue&, VectorFactor alpha, std::span<const VectorPair<T>>);
    void (*clip)(Queue&, double c, std::span<const VectorPair<T>>, double* r);  // r (1), of the device
};
template <class T>
const VectorKernels<T>& vector(Device device);
const VectorKernels<float>& vector_on(simt::Gpu);  // vector.cu
const VectorKernels<float>& vector_on(cuda::Gpu);

}  // namespace lily::kernels
