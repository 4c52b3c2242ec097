// SPDX-License-Identifier: MIT
// exp, tanh and friends without branches or calls, so that loops over them become vector code.
// float: within 3 ulp (tests/kernels/common); double: the C library, the oracle.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "kernels/common/on_device.h"

namespace lily::kernels {
inline namespace LILY_FORMULAS {

// exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln2/2; exp(r) by its Taylor series (next term below 6e-9).
LILY_SHARED inline float fast_exp(float x) {
    const float clamped = x < -87.3f ? -87.3f : (x > 88.73f ? 88.73f : x);
    const float n = std::nearbyint(clamped * 1.44269504f);
    const float r =
        (clamped - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts: n * first is exact
    float p = 1.0f / 5040;
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    // 2^n in two factors, because 2^128 does not fit one exponent
    const int32_t half = static_cast<int32_t>(n) >> 1, rest = static_cast<int32_t>(n) - half;
    const float result =
        p * std::bit_cast<float>((half + 127) << 23) * std::bit_cast<float>((rest + 127) << 23);
    const float high = x > 88.72283f ? std::numeric_limits<float>::infinity() : result;
    const float low = x < -87.3f ? 0.0f : high;  // below 1.2e-38: flushed to zero
    return x == x ? low : x;
}
LILY_SHARED inline double fast_exp(double x) { return std::exp(x); }

// tanh: series near 0 (1 - 2/(e^2x + 1) would cancel), else from exp of |x|.
LILY_SHARED inline float fast_tanh(float x) {
    const float s = x * x;
    float p = -1382.0f / 155925;
    p = p * s + 62.0f / 2835;
    p = p * s - 17.0f / 315;
    p = p * s + 2.0f / 15;
    p = p * s - 1.0f / 3;
    const float near_zero = x * (1 + s * p);  // keeps the sign of -0
    const float far = std::copysign(1.0f - 2.0f / (fast_exp(2.0f * std::fabs(x)) + 1.0f), x);
    return s < 0.09f ? near_zero : far;
}
LILY_SHARED inline double fast_tanh(double x) { return std::tanh(x); }

// erfc(x) for x >= 0: t P(2t - 1) exp(-x²) with t = 1 / (1 + 0.35 x). P: exp(x²) erfc(x) / t by weighted
// least squares over [0, 30], off by 1.3e-8 of the value at most, so small results are as exact as large
// ones.
LILY_SHARED inline float fast_erfc_of_positive(float x) {
    const float t = 1.0f / (1.0f + 0.35f * x), u = 2.0f * t - 1.0f;
    float p = 8.49617565e-5f;
    p = p * u + 3.52900941e-5f;
    p = p * u - 8.46523127e-4f;
    p = p * u - 1.57943884e-3f;
    p = p * u + 4.57352767e-3f;
    p = p * u + 3.18397879e-2f;
    p = p * u + 9.50979489e-2f;
    p = p * u + 1.94224554e-1f;
    p = p * u + 3.02357151e-1f;
    p = p * u + 3.74212753e-1f;
    return t * p * fast_exp(-x * x);
}
LILY_SHARED inline double fast_erfc_of_positive(double x) { return std::erfc(x); }

template <class T>
LILY_SHARED T fast_sigmoid(T x) {
    return T(1) / (T(1) + fast_exp(-x));
}

}  // namespace LILY_FORMULAS
}  // namespace lily::kernels
