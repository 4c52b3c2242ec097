// SPDX-License-Identifier: MIT
// What quasi-Newton methods and running averages do to long vectors. Sums are accumulated in double, in a
// fixed order.
//   dot      Σ x_i y_i
//   abs_sum  Σ |x_i|
//   abs_max  max |x_i|, 0 for n = 0; NaN wins
//   axpy     y ← y + α x
//   lerp     y ← y + α (x - y)
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

template <class T>
struct VectorKernels {
    double (*dot)(Queue&, int64_t n, const T* x, const T* y);         // x, y (n)
    double (*abs_sum)(Queue&, int64_t n, const T* x);                 // x (n)
    double (*abs_max)(Queue&, int64_t n, const T* x);                 // x (n)
    void (*axpy)(Queue&, int64_t n, double alpha, const T* x, T* y);  // x, y (n)
    void (*lerp)(Queue&, int64_t n, double alpha, const T* x, T* y);  // x, y (n)
};
template <class T>
const VectorKernels<T>& vector(Device device);
const VectorKernels<float>& vector_on(simt::Gpu);  // vector.cu
const VectorKernels<float>& vector_on(cuda::Gpu);

}  // namespace lily::kernels
