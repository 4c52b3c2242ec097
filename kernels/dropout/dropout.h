// SPDX-License-Identifier: MIT
// Dropout (Srivastava et al. 2014), of n elements in row-major order. The mask is a function of an element's
// number: element i has 32 random bits w(i), word i % 4 of Philox block counter + i / 4, so nothing is
// stored.
//   forward   y = x / (1 - p) where w(i) >= p 2³², else 0         backward  the same function of dy
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"
#include "kernels/random/random.h"

namespace lily::kernels {

// Philox blocks, of four elements each, that n elements use up.
constexpr uint64_t dropout_blocks(int64_t n) { return (static_cast<uint64_t>(n) + 3) / 4; }

// The smallest word that keeps its element; 2³² for p = 1.
inline uint64_t dropout_threshold(double p) { return static_cast<uint64_t>(p * 4294967296.0); }

template <class T>
struct DropoutKernels {
    void (*apply)(Queue&, RandomStream, double p, int64_t n, const T* x, T* y);
};
template <class T>
const DropoutKernels<T>& dropout(Device device);
const DropoutKernels<float>& dropout_on(simt::Gpu);  // dropout.cu
const DropoutKernels<float>& dropout_on(cuda::Gpu);

}  // namespace lily::kernels
