// SPDX-License-Identifier: MIT
// Of two tensors the one that a mask names, broadcast.
//   forward    y = c ≠ 0 ? a : b
//   backward  da = c ≠ 0 ? dy : 0    db = c ≠ 0 ? 0 : dy      the same function; nothing is multiplied
#pragma once

#include <cstdint>

#include "kernels/common/broadcast.h"
#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

// y has sizes `size`; the others are read with these strides (0 where they are broadcast). Outermost first.
struct WhereShape {
    int rank = 0;
    BroadcastArray size{}, c_stride{}, a_stride{}, b_stride{};
};

template <class T>
struct WhereKernels {
    void (*by_u8)(Queue&, const WhereShape&, const uint8_t* c, const T* a, const T* b, T* y);
    void (*by_float)(Queue&, const WhereShape&, const T* c, const T* a, const T* b, T* y);  // NaN ≠ 0
};
template <class T>
const WhereKernels<T>& where(Device device);
const WhereKernels<float>& where_on(simt::Gpu);  // where.cu
const WhereKernels<float>& where_on(cuda::Gpu);

}  // namespace lily::kernels
