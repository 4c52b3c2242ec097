// SPDX-License-Identifier: MIT
// 16-bit floats: kept as bits, computed with in float, rounded to the nearest even. As the hardware's for +,
// -, *, /.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "simt/vector_types.h"

namespace simt {

// 1 sign, 5 exponent, 10 fraction bits
struct HalfFormat {
    static constexpr uint16_t encode(float value) {
        const uint32_t bits = __builtin_bit_cast(uint32_t, value), sign = bits >> 16 & 0x8000,
                       magnitude = bits & 0x7fffffff;
        if (magnitude > 0x7f800000) return static_cast<uint16_t>(sign | 0x7fff);   // NaN
        if (magnitude >= 0x477ff000) return static_cast<uint16_t>(sign | 0x7c00);  // rounds beyond 65504
        if (magnitude < 0x33000000) return static_cast<uint16_t>(sign);            // below half of 2^-24
        const uint32_t exponent = magnitude >> 23;
        if (exponent >= 113) {  // normal: drop 13 bits
            const uint32_t odd = magnitude >> 13 & 1;
            return static_cast<uint16_t>(sign | ((magnitude + 0xfff + odd - (112u << 23)) >> 13));
        }
        const uint32_t fraction = (magnitude & 0x7fffff) | 0x800000, shift = 126 - exponent;
        const uint32_t odd = fraction >> shift & 1;
        return static_cast<uint16_t>(sign | ((fraction + (1u << (shift - 1)) - 1 + odd) >> shift));
    }
    static constexpr float decode(uint16_t bits) {
        const uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16, exponent = bits >> 10 & 31,
                       fraction = bits & 0x3ff;
        if (exponent == 31) return __builtin_bit_cast(float, sign | 0x7f800000 | fraction << 13);
        if (exponent != 0) return __builtin_bit_cast(float, sign | (exponent + 112) << 23 | fraction << 13);
        const float small = static_cast<float>(fraction) * 0x1p-24f;
        return sign != 0 ? -small : small;
    }
};

// the upper half of a float
struct BrainFormat {
    static constexpr uint16_t encode(float value) {
        const uint32_t bits = __builtin_bit_cast(uint32_t, value);
        if ((bits & 0x7fffffff) > 0x7f800000) return 0x7fff;
        return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
    }
    static constexpr float decode(uint16_t bits) {
        return __builtin_bit_cast(float, static_cast<uint32_t>(bits) << 16);
    }
};

template <class Format>
struct __attribute__((aligned(2))) SmallFloat {
    uint16_t bits;

    SmallFloat() = default;
    template <class T>
    requires std::is_arithmetic_v<T>
    constexpr SmallFloat(T value) : bits(Format::encode(static_cast<float>(value))) {}
    constexpr operator float() const { return Format::decode(bits); }

    static constexpr SmallFloat of_bits(uint16_t bits) {
        SmallFloat result(0);
        result.bits = bits;
        return result;
    }
    constexpr float value() const { return Format::decode(bits); }
    SmallFloat& operator+=(SmallFloat b) { return *this = *this + b; }
    SmallFloat& operator-=(SmallFloat b) { return *this = *this - b; }
    SmallFloat& operator*=(SmallFloat b) { return *this = *this * b; }
    SmallFloat& operator/=(SmallFloat b) { return *this = *this / b; }
    constexpr SmallFloat operator-() const { return of_bits(static_cast<uint16_t>(bits ^ 0x8000)); }
    friend constexpr SmallFloat operator+(SmallFloat a, SmallFloat b) {
        return SmallFloat(a.value() + b.value());
    }
    friend constexpr SmallFloat operator-(SmallFloat a, SmallFloat b) {
        return SmallFloat(a.value() - b.value());
    }
    friend constexpr SmallFloat operator*(SmallFloat a, SmallFloat b) {
        return SmallFloat(a.value() * b.value());
    }
    friend constexpr SmallFloat operator/(SmallFloat a, SmallFloat b) {
        return SmallFloat(a.value() / b.value());
    }
    friend constexpr bool operator==(SmallFloat a, SmallFloat b) { return a.value() == b.value(); }
    friend constexpr auto operator<=>(SmallFloat a, SmallFloat b) { return a.value() <=> b.value(); }
};

template <class Format>
struct __attribute__((aligned(4))) SmallFloat2 {
    SmallFloat<Format> x, y;

    SmallFloat2() = default;
    constexpr SmallFloat2(SmallFloat<Format> a, SmallFloat<Format> b) : x(a), y(b) {}
    friend constexpr SmallFloat2 operator+(SmallFloat2 a, SmallFloat2 b) { return {a.x + b.x, a.y + b.y}; }
    friend constexpr SmallFloat2 operator-(SmallFloat2 a, SmallFloat2 b) { return {a.x - b.x, a.y - b.y}; }
    friend constexpr SmallFloat2 operator*(SmallFloat2 a, SmallFloat2 b) { return {a.x * b.x, a.y * b.y}; }
    friend constexpr SmallFloat2 operator/(SmallFloat2 a, SmallFloat2 b) { return {a.x / b.x, a.y / b.y}; }
};

}  // namespace simt

inline namespace simt_cuda {

// The functions that both formats have under one name.
template <class F>
using simt_small = simt::SmallFloat<F>;
template <class F>
using simt_small2 = simt::SmallFloat2<F>;

template <class F>
__forceinline__ simt_small<F> __hadd(simt_small<F> a, simt_small<F> b) {
    return a + b;
}
template <class F>
__forceinline__ simt_small<F> __hsub(simt_small<F> a, simt_small<F> b) {
    return a - b;
}
template <class F>
__forceinline__ simt_small<F> __hmul(simt_small<F> a, simt_small<F> b) {
    return a * b;
}
template <class F>
__forceinline__ simt_small<F> __hdiv(simt_small<F> a, simt_small<F> b) {
    return a / b;
}
template <class F>
__forceinline__ simt_small<F> __hfma(simt_small<F> a, simt_small<F> b, simt_small<F> c) {
    return simt_small<F>(std::fma(a.value(), b.value(), c.value()));
}
template <class F>
__forceinline__ simt_small<F> __hneg(simt_small<F> a) {
    return -a;
}
template <class F>
__forceinline__ simt_small<F> __habs(simt_small<F> a) {
    return simt_small<F>::of_bits(a.bits & 0x7fff);
}
template <class F>
__forceinline__ simt_small<F> __hmax(simt_small<F> a, simt_small<F> b) {
    return simt_small<F>(std::fmax(a.value(), b.value()));
}
template <class F>
__forceinline__ simt_small<F> __hmin(simt_small<F> a, simt_small<F> b) {
    return simt_small<F>(std::fmin(a.value(), b.value()));
}
template <class F>
__forceinline__ bool __heq(simt_small<F> a, simt_small<F> b) {
    return a == b;
}
template <class F>
__forceinline__ bool __hlt(simt_small<F> a, simt_small<F> b) {
    return a < b;
}
template <class F>
__forceinline__ bool __hgt(simt_small<F> a, simt_small<F> b) {
    return a > b;
}
template <class F>
__forceinline__ bool __hisnan(simt_small<F> a) {
    return a.value() != a.value();
}
template <class F>
__forceinline__ simt_small<F> hexp(simt_small<F> a) {
    return simt_small<F>(std::exp(a.value()));
}
template <class F>
__forceinline__ simt_small<F> hlog(simt_small<F> a) {
    return simt_small<F>(std::log(a.value()));
}
template <class F>
__forceinline__ simt_small<F> hsqrt(simt_small<F> a) {
    return simt_small<F>(std::sqrt(a.value()));
}
template <class F>
__forceinline__ simt_small<F> hrsqrt(simt_small<F> a) {
    return simt_small<F>(1.0f / std::sqrt(a.value()));
}
template <class F>
__forceinline__ simt_small2<F> __hadd2(simt_small2<F> a, simt_small2<F> b) {
    return a + b;
}
template <class F>
__forceinline__ simt_small2<F> __hsub2(simt_small2<F> a, simt_small2<F> b) {
    return a - b;
}
template <class F>
__forceinline__ simt_small2<F> __hmul2(simt_small2<F> a, simt_small2<F> b) {
    return a * b;
}
template <class F>
__forceinline__ simt_small2<F> __hfma2(simt_small2<F> a, simt_small2<F> b, simt_small2<F> c) {
    return {__hfma(a.x, b.x, c.x), __hfma(a.y, b.y, c.y)};
}
template <class F>
__forceinline__ float __low2float(simt_small2<F> a) {
    return a.x.value();
}
template <class F>
__forceinline__ float __high2float(simt_small2<F> a) {
    return a.y.value();
}

}  // namespace simt_cuda
