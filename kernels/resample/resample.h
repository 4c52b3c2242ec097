// SPDX-License-Identifier: MIT
// A sparse linear map along the middle axis of (outer, n, inner): every output is a weighted sum of a few
// inputs. Interpolation is two of them (rows, columns), and so is padding by reflection.
//   forward    y[o,j,i] = Σ_t w[t] x[o, index[t], i],  t in [start[j], start[j+1])      y (outer, m, inner)
//   backward   the same map, transposed                                                dx (outer, n, inner)
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct ResampleShape {
    int64_t outer, n, m, inner;  // n inputs, m outputs
};

template <class T>
struct ResampleKernels {
    // start (m + 1), index (start[m]) each in [0, n), weight (start[m]); like x and y in the device's memory
    void (*apply)(Queue&, ResampleShape, const int64_t* start, const int64_t* index, const T* weight,
                  const T* x, T* y);
};
template <class T>
const ResampleKernels<T>& resample(Device device);
const ResampleKernels<float>& resample_on(simt::Gpu);  // resample.cu
const ResampleKernels<float>& resample_on(cuda::Gpu);

}  // namespace lily::kernels
