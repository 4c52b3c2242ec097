// SPDX-License-Identifier: MIT
// From one dtype to another (number.h): integers wrap around, floats beyond an integer's range stop at its
// limits, NaN becomes 0.
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

template <class From, class To>
struct ConvertKernels {
    void (*run)(Queue&, int64_t n, const From* x, To* y);  // y[i] = x[i]
};
template <class From, class To>
const ConvertKernels<From, To>& convert(Device device);
template <class From, class To>
const ConvertKernels<From, To>& convert_on(simt::Gpu);  // convert.cu
template <class From, class To>
const ConvertKernels<From, To>& convert_on(cuda::Gpu);

}  // namespace lily::kernels
