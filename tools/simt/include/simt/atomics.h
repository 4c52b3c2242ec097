// SPDX-License-Identifier: MIT
// Atomic operations: relaxed, as on the hardware. Blocks run on several OS threads, so they have to be real
// ones.
#pragma once

#include <type_traits>

#include "simt/device.h"

namespace simt {

// old = *address; *address = change(old), in one step
template <class T, class F>
__forceinline__ T update(T* address, F change) {
    using Bits =
        std::conditional_t<sizeof(T) == 2, uint16_t, std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>;
    typedef Bits __attribute__((may_alias)) Word;
    Word* word = reinterpret_cast<Word*>(address);
    Bits bits = __atomic_load_n(word, __ATOMIC_RELAXED);
    for (;;) {
        T old;
        __builtin_memcpy(&old, &bits, sizeof(T));
        const T changed = change(old);
        Bits wanted;
        __builtin_memcpy(&wanted, &changed, sizeof(T));
        if (__atomic_compare_exchange_n(word, &bits, wanted, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
            return old;
    }
}

template <class T>
constexpr bool is_word =
    std::is_same_v<T, int> || std::is_same_v<T, unsigned> || std::is_same_v<T, unsigned long long>;

// The atomics of the calling thread are heard so far, as long as one lives.
struct Scoped {
    __forceinline__ explicit Scoped(Scope scope) { set_scope(scope); }
    __forceinline__ ~Scoped() { set_scope(Scope::device); }
    Scoped(const Scoped&) = delete;
    Scoped& operator=(const Scoped&) = delete;
};

template <class T>
using Same = std::type_identity_t<T>;  // the value is converted to the type of the address

}  // namespace simt

inline namespace simt_cuda {

template <class T>
__forceinline__ T atomicAdd(T* address, simt::Same<T> value) {
    if constexpr (simt::is_word<T>) {
        return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
    } else {
        return simt::update(address, [value](T old) { return static_cast<T>(old + value); });
    }
}
template <class T>
__forceinline__ T atomicSub(T* address, simt::Same<T> value) {
    static_assert(std::is_same_v<T, int> || std::is_same_v<T, unsigned>);
    return __atomic_fetch_sub(address, value, __ATOMIC_RELAXED);
}
template <class T>
__forceinline__ T atomicExch(T* address, simt::Same<T> value) {
    static_assert(simt::is_word<T> || std::is_same_v<T, float>);
    return simt::update(address, [value](T) { return value; });
}
template <class T>
__forceinline__ T atomicMin(T* address, simt::Same<T> value) {
    static_assert(simt::is_word<T> || std::is_same_v<T, long long>);
    return simt::update(address, [value](T old) { return value < old ? value : old; });
}
template <class T>
__forceinline__ T atomicMax(T* address, simt::Same<T> value) {
    static_assert(simt::is_word<T> || std::is_same_v<T, long long>);
    return simt::update(address, [value](T old) { return old < value ? value : old; });
}
template <class T>
__forceinline__ T atomicAnd(T* address, simt::Same<T> value) {
    static_assert(simt::is_word<T>);
    return __atomic_fetch_and(address, value, __ATOMIC_RELAXED);
}
template <class T>
__forceinline__ T atomicOr(T* address, simt::Same<T> value) {
    static_assert(simt::is_word<T>);
    return __atomic_fetch_or(address, value, __ATOMIC_RELAXED);
}
template <class T>
__forceinline__ T atomicXor(T* address, simt::Same<T> value) {
    static_assert(simt::is_word<T>);
    return __atomic_fetch_xor(address, value, __ATOMIC_RELAXED);
}
template <class T>
__forceinline__ T atomicCAS(T* address, simt::Same<T> compare, simt::Same<T> value) {
    static_assert(simt::is_word<T> || std::is_same_v<T, unsigned short>);
    __atomic_compare_exchange_n(address, &compare, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    return compare;  // the old value, whether it was exchanged or not
}
__forceinline__ unsigned atomicInc(unsigned* address, unsigned limit) {
    return simt::update(address, [limit](unsigned old) { return old >= limit ? 0 : old + 1; });
}
__forceinline__ unsigned atomicDec(unsigned* address, unsigned limit) {
    return simt::update(address, [limit](unsigned old) { return old == 0 || old > limit ? limit : old - 1; });
}

// The same for one block, and for all that shares the memory.
#define LILY_SIMT_SCOPED(name)                                         \
    template <class T>                                                 \
    __forceinline__ T name##_block(T* address, simt::Same<T> value) {  \
        const simt::Scoped scoped(simt::Scope::block);                 \
        return name(address, value);                                   \
    }                                                                  \
    template <class T>                                                 \
    __forceinline__ T name##_system(T* address, simt::Same<T> value) { \
        return name(address, value);                                   \
    }
LILY_SIMT_SCOPED(atomicAdd)
LILY_SIMT_SCOPED(atomicSub)
LILY_SIMT_SCOPED(atomicExch)
LILY_SIMT_SCOPED(atomicMin)
LILY_SIMT_SCOPED(atomicMax)
LILY_SIMT_SCOPED(atomicAnd)
LILY_SIMT_SCOPED(atomicOr)
LILY_SIMT_SCOPED(atomicXor)
#undef LILY_SIMT_SCOPED
template <class T>
__forceinline__ T atomicCAS_block(T* address, simt::Same<T> compare, simt::Same<T> value) {
    const simt::Scoped scoped(simt::Scope::block);
    return atomicCAS(address, compare, value);
}
template <class T>
__forceinline__ T atomicCAS_system(T* address, simt::Same<T> compare, simt::Same<T> value) {
    return atomicCAS(address, compare, value);
}

}  // namespace simt_cuda
