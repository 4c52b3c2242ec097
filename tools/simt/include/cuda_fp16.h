// SPDX-License-Identifier: MIT
#pragma once

#include "simt/small_float.h"

inline namespace simt_cuda {

using __half = simt::SmallFloat<simt::HalfFormat>;
using __half2 = simt::SmallFloat2<simt::HalfFormat>;
using half = __half;
using half2 = __half2;

__forceinline__ __half __float2half(float x) { return __half(x); }
__forceinline__ __half __float2half_rn(float x) { return __half(x); }
__forceinline__ __half __double2half(double x) { return __half(static_cast<float>(x)); }
__forceinline__ __half __int2half_rn(int x) { return __half(x); }
__forceinline__ float __half2float(__half x) { return x.value(); }
__forceinline__ int __half2int_rn(__half x) { return static_cast<int>(std::nearbyint(x.value())); }
__forceinline__ __half2 __float2half2_rn(float x) { return {__half(x), __half(x)}; }
__forceinline__ __half2 __floats2half2_rn(float x, float y) { return {__half(x), __half(y)}; }
__forceinline__ __half2 __float22half2_rn(float2 v) { return {__half(v.x), __half(v.y)}; }
__forceinline__ float2 __half22float2(__half2 v) { return {v.x.value(), v.y.value()}; }
__forceinline__ __half2 __halves2half2(__half x, __half y) { return {x, y}; }
__forceinline__ __half2 __half2half2(__half x) { return {x, x}; }
__forceinline__ __half2 make_half2(__half x, __half y) { return {x, y}; }
__forceinline__ __half __low2half(__half2 v) { return v.x; }
__forceinline__ __half __high2half(__half2 v) { return v.y; }
__forceinline__ unsigned short __half_as_ushort(__half x) { return x.bits; }
__forceinline__ __half __ushort_as_half(unsigned short x) { return __half::of_bits(x); }

}  // namespace simt_cuda
