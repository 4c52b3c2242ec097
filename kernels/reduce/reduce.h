// SPDX-License-Identifier: MIT
// Sums and maxima over the middle axis of (outer, n, inner). Several axes are reduced one run of neighbours
// at a time. Sums are accumulated in double.
//   sum   y[o,i] = Σ_k x[o,k,i]        dx[o,k,i] = dy[o,i]
//   max   y[o,i] = max_k x[o,k,i]      dx[o,k,i] = dy[o,i] · [x = y] / (number of ties)
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct ReduceShape {
    int64_t outer, n, inner;
};

template <class T>
struct ReduceKernels {
    void (*sum)(Queue&, ReduceShape, const T* x, T* y);               // y (outer, inner); 0 for n = 0
    void (*max)(Queue&, ReduceShape, const T* x, T* y);               // NaN wins; n >= 1
    void (*argmax)(Queue&, ReduceShape, const T* x, int64_t* index);  // the first of equals
};
template <class T>
const ReduceKernels<T>& reduce(Device device);
const ReduceKernels<float>& reduce_on(simt::Gpu);  // reduce.cu
const ReduceKernels<float>& reduce_on(cuda::Gpu);

}  // namespace lily::kernels
