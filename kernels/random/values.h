// SPDX-License-Identifier: MIT
// From Philox words to numbers, with the same bits on every device: +, -, ·, / and √ of IEEE 754 give them,
// as long as no compiler fuses a product and a sum. So this file uses no log, sin or cos of a library. On a
// GPU `Exact` keeps products and sums apart; on the CPU the file that includes this one tells the compiler
// so.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/common/on_device.h"
#include "kernels/random/philox.h"

namespace lily::kernels {
inline namespace LILY_FORMULAS {

// A double whose operations are rounded one by one.
struct Exact {
    double v;
    LILY_SHARED Exact(double value) : v(value) {}
};
LILY_SHARED inline Exact operator*(Exact a, Exact b) {
#ifdef __CUDA_ARCH__
    return __dmul_rn(a.v, b.v);
#else
    return a.v * b.v;
#endif
}
LILY_SHARED inline Exact operator+(Exact a, Exact b) {
#ifdef __CUDA_ARCH__
    return __dadd_rn(a.v, b.v);
#else
    return a.v + b.v;
#endif
}
LILY_SHARED inline Exact operator-(Exact a, Exact b) { return a + Exact(-b.v); }
LILY_SHARED inline Exact operator/(Exact a, Exact b) { return a.v / b.v; }

struct RandomBlock {
    uint64_t first, second;
};

LILY_SHARED inline RandomBlock random_block(RandomStream s, uint64_t b) {
    const PhiloxCounter w = philox_block(s, b);
    return {uint64_t{w.word[1]} << 32 | w.word[0], uint64_t{w.word[3]} << 32 | w.word[2]};
}

LILY_SHARED inline double unit(uint64_t word) {
    return static_cast<double>(static_cast<int64_t>(word >> 11)) * 0x1p-53;
}
LILY_SHARED inline void store_unit(uint64_t word, double& y) { y = unit(word); }
LILY_SHARED inline void store_unit(uint64_t word, float& y) {
    y = static_cast<float>(static_cast<int32_t>(word >> 40)) * 0x1p-24f;
}

// ln x for normal x > 0: x = 2^e m with m in [√½, √2), ln m = 2 artanh f, f = (m-1)/(m+1), |f| < 0.1716.
LILY_SHARED inline Exact natural_log(Exact x) {
    int e;
    double m = std::frexp(x.v, &e);  // exact
    if (m < 0.70710678118654752440) {
        m *= 2;
        --e;
    }
    const Exact f = (Exact(m) - 1) / (Exact(m) + 1), s = f * f;
    Exact p = 0;  // s/3 + s²/5 + … + s^11/23
    for (int k = 23; k >= 3; k -= 2) p = (p + 1.0 / k) * s;
    return Exact(2) * f * p + Exact(2) * f + Exact(e) * 0.69314718055994530942;
}

struct NormalPair {
    double first, second;
};

// (r cos 2πv, r sin 2πv), r = √(-2 ln(1-u)): the nearest quarter turn, and Taylor series for the rest, at
// most π/4.
LILY_SHARED inline NormalPair normal_pair(RandomBlock w) {
    const Exact radius =
        std::sqrt((Exact(-2) * natural_log(Exact(1) - unit(w.first))).v);  // 1-u is in (0, 1]
    const double quarters = unit(w.second) * 4;
    const int q = static_cast<int>(quarters + 0.5);
    const Exact x = (Exact(quarters) - q) * 1.57079632679489661923, s = x * x;  // the difference is exact
    Exact c = 1, n = 1;
    for (int k = 16; k >= 2; k -= 2) c = Exact(1) - s * (1.0 / (k * (k - 1))) * c;
    for (int k = 17; k >= 3; k -= 2) n = Exact(1) - s * (1.0 / (k * (k - 1))) * n;
    n = n * x;
    const double along = (q % 2 ? n : c).v, across = (q % 2 ? c : n).v;
    return {(radius * (q == 1 || q == 2 ? -along : along)).v,
            (radius * (q == 2 || q == 3 ? -across : across)).v};
}

// ⌊w · range / 2^64⌋, from 32-bit halves. No value is more than range / 2^64 too likely.
LILY_SHARED inline uint64_t scaled(uint64_t w, uint64_t range) {
    const uint64_t low = (w & 0xffffffff) * (range & 0xffffffff) >> 32;
    const uint64_t middle = (w >> 32) * (range & 0xffffffff) + low;
    const uint64_t cross = (w & 0xffffffff) * (range >> 32) + (middle & 0xffffffff);
    return (w >> 32) * (range >> 32) + (middle >> 32) + (cross >> 32);
}

}  // namespace LILY_FORMULAS
}  // namespace lily::kernels
