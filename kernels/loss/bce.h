// SPDX-License-Identifier: MIT
// Binary cross-entropy of one logit, for the CPU and the GPUs.
#pragma once

#include <cmath>

#include "kernels/common/on_device.h"
#include "kernels/common/vector_math.h"
#include "kernels/loss/loss.h"

namespace lily::kernels {
inline namespace LILY_FORMULAS {

template <class T>
LILY_SHARED T at(const Target<T>& t, int64_t i) {
    return t.values ? t.values[i] : t.constant;
}

// The first two terms cancel exactly for t = 1 and large x.
template <class T>
LILY_SHARED T bce(T x, T t) {
    return (std::fmax(x, T(0)) - t * x) + std::log1p(fast_exp(-std::fabs(x)));
}
template <class T>
LILY_SHARED T bce_slope(T x, T t) {
    return fast_sigmoid(x) - t;
}

}  // namespace LILY_FORMULAS
}  // namespace lily::kernels
