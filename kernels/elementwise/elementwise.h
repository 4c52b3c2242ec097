// SPDX-License-Identifier: MIT
// Functions of one or two tensors, element by element, with broadcasting.
//   forward    y = f(x)                  z = a op b
//   backward  dx = f'(x) dy              written with ops in framework/ops/arithmetic.cpp
#pragma once

#include <cstdint>

#include "kernels/common/broadcast.h"
#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

// Which function: functions.h has the names and the maths, side by side.
enum class Unary : uint8_t;
enum class Binary : uint8_t;

struct UnaryArguments {
    double a = 0, b = 0;
};

template <class T>
struct ElementwiseKernels {
    void (*unary)(Queue&, Unary, UnaryArguments, int64_t n, const T* x, T* y);  // y = f(x); y may be x
    // dx = f'(x) dy; x or y may be null where f' does not use it (functions.h); dx may be dy
    void (*unary_backward)(Queue&, Unary, UnaryArguments, int64_t n, const T* x, const T* y, const T* dy,
                           T* dx);
    void (*binary)(Queue&, Binary, const BroadcastShape&, const T* a, const T* b, T* z);  // z = a op b
    void (*affine)(Queue&, int64_t n, T scale, T shift, const T* x, T* y);  // y = scale x + shift
};
template <class T>
const ElementwiseKernels<T>& elementwise(Device device);
const ElementwiseKernels<float>& elementwise_on(simt::Gpu);  // elementwise.cu
const ElementwiseKernels<float>& elementwise_on(cuda::Gpu);

}  // namespace lily::kernels
