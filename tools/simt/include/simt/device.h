// SPDX-License-Identifier: MIT
// What a kernel sees: the keywords, its own coordinates, barriers, and the collective operations of a warp.
#pragma once

#include <cstring>
#include <type_traits>

#include "simt/collective.h"
#include "simt/vector_types.h"

#define __host__
#define __device__
#define __global__
#define __constant__
#define __grid_constant__
#define __align__(n) __attribute__((aligned(n)))
#define __launch_bounds__(...)

// A block runs on one OS thread, so its shared memory is thread-local. A gap stands between any two arrays:
// an index that leaves one of them falls into it (write __shared__ __align__(16) float x[...], not alignas
// before it).
#define LILY_SIMT_JOIN2(a, b) a##b
#define LILY_SIMT_JOIN(a, b) LILY_SIMT_JOIN2(a, b)
#define __shared__                                                                                 \
    static thread_local                                                                            \
        __attribute__((used, aligned(128))) char LILY_SIMT_JOIN(lily_simt_gap_, __COUNTER__)[128]; \
    static thread_local __attribute__((aligned(128)))

// Constants for the code of one CUDA thread: the runtime sets them whenever it goes on with another one.
extern const __thread uint3 threadIdx;
extern const __thread uint3 blockIdx;
extern const __thread uint3 blockDim;  // not dim3: its constructor would keep them from being constants
extern const __thread uint3 gridDim;

inline namespace simt_cuda {

constexpr int warpSize = 32;

// Each says where it stands: the compiler may merge two calls, and the line would be lost.
void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE());
int __syncthreads_count(int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE());
int __syncthreads_and(int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE());
int __syncthreads_or(int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE());
void __syncwarp(unsigned mask = 0xffffffffu);
unsigned __activemask();
[[noreturn]] void __trap();

}  // namespace simt_cuda

// The dynamic shared memory of the block: `extern __shared__` of the real thing, behind a name that both can
// have.
void* lily_simt_dynamic_shared();

namespace simt {

template <class T>
__forceinline__ T exchange(Collective operation, unsigned mask, T value, int argument, int width) {
    static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= 8);
    uint64_t bits = 0;
    __builtin_memcpy(&bits, &value, sizeof(T));
    bits = collective(operation, mask, bits, argument, width);
    __builtin_memcpy(&value, &bits, sizeof(T));
    return value;
}

// What the tests of two lanes have to agree on: int, unsigned, float, double and the 64-bit integers; half's
// types.
template <class T>
using Shuffled = std::conditional_t<std::is_integral_v<T> && sizeof(T) < 4, int, T>;

}  // namespace simt

inline namespace simt_cuda {

template <class T>
__forceinline__ simt::Shuffled<T> __shfl_sync(unsigned mask, T value, int srcLane, int width = 32) {
    return simt::exchange<simt::Shuffled<T>>(simt::Collective::shuffle, mask, value, srcLane, width);
}
template <class T>
__forceinline__ simt::Shuffled<T> __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    return simt::exchange<simt::Shuffled<T>>(simt::Collective::shuffle_up, mask, value,
                                             static_cast<int>(delta), width);
}
template <class T>
__forceinline__ simt::Shuffled<T> __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32) {
    return simt::exchange<simt::Shuffled<T>>(simt::Collective::shuffle_down, mask, value,
                                             static_cast<int>(delta), width);
}
template <class T>
__forceinline__ simt::Shuffled<T> __shfl_xor_sync(unsigned mask, T value, int laneMask, int width = 32) {
    return simt::exchange<simt::Shuffled<T>>(simt::Collective::shuffle_xor, mask, value, laneMask, width);
}

__forceinline__ unsigned __ballot_sync(unsigned mask, int predicate) {
    return static_cast<unsigned>(simt::collective(simt::Collective::ballot, mask, predicate != 0, 0, 32));
}
__forceinline__ int __any_sync(unsigned mask, int predicate) { return __ballot_sync(mask, predicate) != 0; }
__forceinline__ int __all_sync(unsigned mask, int predicate) {
    return __ballot_sync(mask, predicate == 0) == 0;
}
template <class T>
__forceinline__ unsigned __match_any_sync(unsigned mask, T value) {
    uint64_t bits = 0;
    __builtin_memcpy(&bits, &value, sizeof(T));
    return static_cast<unsigned>(simt::collective(simt::Collective::match_any, mask, bits, 0, 32));
}

__forceinline__ unsigned __reduce_add_sync(unsigned mask, unsigned value) {
    return static_cast<unsigned>(simt::collective(simt::Collective::reduce_add, mask, value, 0, 32));
}
__forceinline__ int __reduce_add_sync(unsigned mask, int value) {
    return static_cast<int>(__reduce_add_sync(mask, static_cast<unsigned>(value)));
}
__forceinline__ unsigned __reduce_min_sync(unsigned mask, unsigned value) {
    return static_cast<unsigned>(simt::collective(simt::Collective::reduce_umin, mask, value, 0, 32));
}
__forceinline__ int __reduce_min_sync(unsigned mask, int value) {
    return static_cast<int>(
        simt::collective(simt::Collective::reduce_min, mask, static_cast<unsigned>(value), 0, 32));
}
__forceinline__ unsigned __reduce_max_sync(unsigned mask, unsigned value) {
    return static_cast<unsigned>(simt::collective(simt::Collective::reduce_umax, mask, value, 0, 32));
}
__forceinline__ int __reduce_max_sync(unsigned mask, int value) {
    return static_cast<int>(
        simt::collective(simt::Collective::reduce_max, mask, static_cast<unsigned>(value), 0, 32));
}
__forceinline__ unsigned __reduce_and_sync(unsigned mask, unsigned value) {
    return static_cast<unsigned>(simt::collective(simt::Collective::reduce_and, mask, value, 0, 32));
}
__forceinline__ unsigned __reduce_or_sync(unsigned mask, unsigned value) {
    return static_cast<unsigned>(simt::collective(simt::Collective::reduce_or, mask, value, 0, 32));
}
__forceinline__ unsigned __reduce_xor_sync(unsigned mask, unsigned value) {
    return static_cast<unsigned>(simt::collective(simt::Collective::reduce_xor, mask, value, 0, 32));
}

__forceinline__ void __threadfence_block() { simt::fence(simt::Scope::block); }
__forceinline__ void __threadfence() { simt::fence(simt::Scope::device); }
__forceinline__ void __threadfence_system() { simt::fence(simt::Scope::system); }
__forceinline__ long long clock64() { return static_cast<long long>(__builtin_ia32_rdtsc()); }
__forceinline__ void __nanosleep(unsigned) {}

// Loads and stores with a cache hint: the hint has no meaning here.
template <class T>
__forceinline__ T __ldg(const T* address) {
    return *address;
}
template <class T>
__forceinline__ T __ldca(const T* address) {
    return *address;
}
template <class T>
__forceinline__ T __ldcg(const T* address) {
    return *address;
}
template <class T>
__forceinline__ T __ldcs(const T* address) {
    return *address;
}
template <class T>
__forceinline__ void __stcg(T* address, T value) {
    *address = value;
}
template <class T>
__forceinline__ void __stcs(T* address, T value) {
    *address = value;
}
template <class T>
__forceinline__ void __stwt(T* address, T value) {
    *address = value;
}

}  // namespace simt_cuda
