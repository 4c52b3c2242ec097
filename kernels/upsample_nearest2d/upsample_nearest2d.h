// SPDX-License-Identifier: MIT
// Every position of a map repeated a whole number of times along both axes.
//   forward    y[i,j] = x[⌊i/fh⌋, ⌊j/fw⌋]
//   backward  dx[i,j] = Σ_r,s dy[i·fh + r, j·fw + s],  (r,s) < (fh,fw)
#pragma once

#include <array>
#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/planes.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

using UpsampleFactor = std::array<int64_t, 2>;  // fh, fw

template <class T>
struct UpsampleNearest2dKernels {
    // x and dx are `s`; y and dy have h·fh rows and w·fw columns
    void (*forward)(Queue&, const Planes& s, UpsampleFactor, const T* x, T* y);
    void (*backward)(Queue&, const Planes& s, UpsampleFactor, const T* dy, T* dx);  // dx =, not +=
};
template <class T>
const UpsampleNearest2dKernels<T>& upsample_nearest2d(Device device);
const UpsampleNearest2dKernels<float>& upsample_nearest2d_on(simt::Gpu);  // upsample_nearest2d.cu
const UpsampleNearest2dKernels<float>& upsample_nearest2d_on(cuda::Gpu);

}  // namespace lily::kernels
