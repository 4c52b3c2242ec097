// SPDX-License-Identifier: MIT
// Device functions that the C library lacks. The fast ones (__expf, ...) are as exact as the others here.
#pragma once

#include <math.h>

#include <cmath>
#include <cstdlib>
#include <type_traits>

#include "simt/device.h"

// The C library has functions of these names for itself.
#define __expf fast_expf
#define __exp10f fast_exp10f
#define __logf fast_logf
#define __log2f fast_log2f
#define __log10f fast_log10f
#define __powf fast_powf
#define __sinf fast_sinf
#define __cosf fast_cosf
#define __tanf fast_tanf
#define __sincosf fast_sincosf

inline namespace simt_cuda {

// min and max of mixed types, as the toolkit has them in the global namespace
template <class A, class B>
requires(std::is_arithmetic_v<A>&& std::is_arithmetic_v<B>) constexpr std::common_type_t<A, B> min(A a, B b) {
    using T = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point_v<T>) return std::fmin(static_cast<T>(a), static_cast<T>(b));
    return static_cast<T>(b) < static_cast<T>(a) ? static_cast<T>(b) : static_cast<T>(a);
}
template <class A, class B>
requires(std::is_arithmetic_v<A>&& std::is_arithmetic_v<B>) constexpr std::common_type_t<A, B> max(A a, B b) {
    using T = std::common_type_t<A, B>;
    if constexpr (std::is_floating_point_v<T>) return std::fmax(static_cast<T>(a), static_cast<T>(b));
    return static_cast<T>(a) < static_cast<T>(b) ? static_cast<T>(b) : static_cast<T>(a);
}

#if !__GLIBC_PREREQ(2, 42)  // which has them too
__forceinline__ float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
__forceinline__ double rsqrt(double x) { return 1.0 / std::sqrt(x); }
#endif
__forceinline__ float __frsqrt_rn(float x) { return rsqrtf(x); }
__forceinline__ float __fsqrt_rn(float x) { return std::sqrt(x); }
__forceinline__ float __frcp_rn(float x) { return 1.0f / x; }
__forceinline__ float __fdividef(float a, float b) { return a / b; }
__forceinline__ float fdividef(float a, float b) { return a / b; }
__forceinline__ float __fadd_rn(float a, float b) { return a + b; }
__forceinline__ float __fsub_rn(float a, float b) { return a - b; }
__forceinline__ float __fmul_rn(float a, float b) { return a * b; }
__forceinline__ float __fdiv_rn(float a, float b) { return a / b; }
__forceinline__ float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
__forceinline__ double __dadd_rn(double a, double b) { return a + b; }
__forceinline__ double __dmul_rn(double a, double b) { return a * b; }
__forceinline__ double __fma_rn(double a, double b, double c) { return std::fma(a, b, c); }
__forceinline__ float fast_expf(float x) { return std::exp(x); }
__forceinline__ float fast_exp10f(float x) { return std::pow(10.0f, x); }
__forceinline__ float fast_logf(float x) { return std::log(x); }
__forceinline__ float fast_log2f(float x) { return std::log2(x); }
__forceinline__ float fast_log10f(float x) { return std::log10(x); }
__forceinline__ float fast_powf(float x, float y) { return std::pow(x, y); }
__forceinline__ float fast_sinf(float x) { return std::sin(x); }
__forceinline__ float fast_cosf(float x) { return std::cos(x); }
__forceinline__ float fast_tanf(float x) { return std::tan(x); }
__forceinline__ void fast_sincosf(float x, float* s, float* c) { *s = std::sin(x), *c = std::cos(x); }
__forceinline__ float __saturatef(float x) { return x > 0.0f ? (x < 1.0f ? x : 1.0f) : 0.0f; }
#if !__GLIBC_PREREQ(2, 41)
__forceinline__ float sinpif(float x) {
    return static_cast<float>(std::sin(3.14159265358979323846 * std::fmod(x, 2.0f)));
}
__forceinline__ float cospif(float x) {
    return static_cast<float>(std::cos(3.14159265358979323846 * std::fmod(x, 2.0f)));
}
#endif
__forceinline__ void sincospif(float x, float* s, float* c) { *s = sinpif(x), *c = cospif(x); }
__forceinline__ float normcdff(float x) { return 0.5f * std::erfc(x * -0.70710678118654752f); }

// Bits, and numbers with the same bits.
__forceinline__ int __float_as_int(float x) { return __builtin_bit_cast(int, x); }
__forceinline__ unsigned __float_as_uint(float x) { return __builtin_bit_cast(unsigned, x); }
__forceinline__ float __int_as_float(int x) { return __builtin_bit_cast(float, x); }
__forceinline__ float __uint_as_float(unsigned x) { return __builtin_bit_cast(float, x); }
__forceinline__ long long __double_as_longlong(double x) { return __builtin_bit_cast(long long, x); }
__forceinline__ double __longlong_as_double(long long x) { return __builtin_bit_cast(double, x); }
__forceinline__ int __popc(unsigned x) { return __builtin_popcount(x); }
__forceinline__ int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
__forceinline__ int __clz(int x) { return x == 0 ? 32 : __builtin_clz(static_cast<unsigned>(x)); }
__forceinline__ int __clzll(long long x) {
    return x == 0 ? 64 : __builtin_clzll(static_cast<unsigned long long>(x));
}
__forceinline__ int __ffs(int x) { return __builtin_ffs(x); }
__forceinline__ int __ffsll(long long x) { return __builtin_ffsll(x); }
__forceinline__ unsigned __umulhi(unsigned a, unsigned b) {
    return static_cast<unsigned>((static_cast<uint64_t>(a) * b) >> 32);
}
__forceinline__ int __mulhi(int a, int b) { return static_cast<int>((static_cast<int64_t>(a) * b) >> 32); }
__forceinline__ unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}
__forceinline__ unsigned __brev(unsigned x) {
    unsigned r = 0;
    for (int i = 0; i < 32; ++i) r |= (x >> i & 1u) << (31 - i);
    return r;
}
__forceinline__ unsigned __funnelshift_l(unsigned low, unsigned high, unsigned shift) {
    return static_cast<unsigned>((static_cast<uint64_t>(high) << 32 | low) << (shift & 31) >> 32);
}
__forceinline__ unsigned __funnelshift_r(unsigned low, unsigned high, unsigned shift) {
    return static_cast<unsigned>((static_cast<uint64_t>(high) << 32 | low) >> (shift & 31));
}

// Conversions; _rn to nearest even, _rz to zero, _rd down, _ru up.
__forceinline__ int __float2int_rn(float x) { return static_cast<int>(std::nearbyint(x)); }
__forceinline__ int __float2int_rz(float x) { return static_cast<int>(x); }
__forceinline__ int __float2int_rd(float x) { return static_cast<int>(std::floor(x)); }
__forceinline__ int __float2int_ru(float x) { return static_cast<int>(std::ceil(x)); }
__forceinline__ unsigned __float2uint_rn(float x) { return static_cast<unsigned>(std::nearbyint(x)); }
__forceinline__ unsigned __float2uint_rz(float x) { return static_cast<unsigned>(x); }
__forceinline__ float __int2float_rn(int x) { return static_cast<float>(x); }
__forceinline__ float __uint2float_rn(unsigned x) { return static_cast<float>(x); }
__forceinline__ float __double2float_rn(double x) { return static_cast<float>(x); }

}  // namespace simt_cuda
