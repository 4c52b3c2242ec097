// SPDX-License-Identifier: MIT
// Atomic operations of instrumented code: checked, then done.
#include <cstddef>
#include <cstdint>

#include "races.h"

namespace simt {

template <Access A>
void touch_atomic(const volatile void* p, size_t bytes, const void* site);

}  // namespace simt

namespace {

template <simt::Access A, class T>
[[gnu::always_inline]] inline void checked(const volatile T* p, const void* site) {
    simt::touch_atomic<A>(p, sizeof(T), site);
}

}  // namespace

// One set of functions per width; the orders are ignored, all are the strongest.
#define SITE __builtin_return_address(0)
#define LILY_SIMT_UPDATE(width, T, name)                           \
    T __tsan_atomic##width##_##name(volatile T* p, T value, int) { \
        checked<simt::Access::atomic>(p, SITE);                    \
        return __atomic_##name(p, value, __ATOMIC_SEQ_CST);        \
    }
#define LILY_SIMT_EXCHANGE(width, T, name, weak)                                                           \
    int __tsan_atomic##width##_compare_exchange_##name(volatile T* p, T* expected, T wanted, int, int) {   \
        checked<simt::Access::atomic>(p, SITE);                                                            \
        return __atomic_compare_exchange_n(p, expected, wanted, weak, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
    }
#define LILY_SIMT_ATOMICS(width, T)                                                                   \
    T __tsan_atomic##width##_load(const volatile T* p, int) {                                         \
        checked<simt::Access::atomic>(p, SITE);                                                       \
        return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                  \
    }                                                                                                 \
    void __tsan_atomic##width##_store(volatile T* p, T value, int) {                                  \
        checked<simt::Access::write>(p, SITE);                                                        \
        __atomic_store_n(p, value, __ATOMIC_SEQ_CST);                                                 \
    }                                                                                                 \
    T __tsan_atomic##width##_exchange(volatile T* p, T value, int) {                                  \
        checked<simt::Access::atomic>(p, SITE);                                                       \
        return __atomic_exchange_n(p, value, __ATOMIC_SEQ_CST);                                       \
    }                                                                                                 \
    LILY_SIMT_UPDATE(width, T, fetch_add)                                                             \
    LILY_SIMT_UPDATE(width, T, fetch_sub)                                                             \
    LILY_SIMT_UPDATE(width, T, fetch_and)                                                             \
    LILY_SIMT_UPDATE(width, T, fetch_or)                                                              \
    LILY_SIMT_UPDATE(width, T, fetch_xor)                                                             \
    LILY_SIMT_UPDATE(width, T, fetch_nand)                                                            \
    LILY_SIMT_EXCHANGE(width, T, strong, false)                                                       \
    LILY_SIMT_EXCHANGE(width, T, weak, true)                                                          \
    T __tsan_atomic##width##_compare_exchange_val(volatile T* p, T expected, T wanted, int, int) {    \
        checked<simt::Access::atomic>(p, SITE);                                                       \
        __atomic_compare_exchange_n(p, &expected, wanted, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
        return expected;                                                                              \
    }

extern "C" {
LILY_SIMT_ATOMICS(8, uint8_t)
LILY_SIMT_ATOMICS(16, uint16_t)
LILY_SIMT_ATOMICS(32, uint32_t)
LILY_SIMT_ATOMICS(64, uint64_t)
void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void __tsan_atomic_signal_fence(int) {}
}
