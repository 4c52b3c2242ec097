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

// max(x, 0) - t x = (1 - t) x above 0, t |x| below; 0 where t says so for sure, even if x is infinite.
template <class T>
LILY_SHARED T bce(T x, T t) {
    const T share = x > 0 ? 1 - t : t, size = std::fabs(x);
    return (share == 0 ? T(0) : share * size) + std::log1p(fast_exp(-size));
}
template <class T>
LILY_SHARED T bce_slope(T x, T t) {
    return fast_sigmoid(x) - t;
}

}  // namespace LILY_FORMULAS
}  // namespace lily::kernels
