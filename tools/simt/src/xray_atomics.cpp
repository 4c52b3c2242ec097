// SPDX-License-Identifier: MIT
// Atomic operations of instrumented code: checked, then done.
#include <cstddef>
#include <cstdint>

#include "engine.h"

namespace simt {

template <Access A>
void touch_atomic(const volatile void* p, size_t bytes, const void* site);

}  // namespace simt

namespace {

using simt::Access;

// Around an atomic: before it, what it hands on; after it, what it has learned.
template <Access A, class T>
class Atomic {
  public:
    [[gnu::always_inline]] Atomic(const volatile T* p, int order, const void* site)
        : address_(reinterpret_cast<uintptr_t>(p)), order_(order) {
        simt::touch_atomic<A>(p, sizeof(T), site);
        if (simt::writes(A) && watched()) simt::t_checked->before_atomic(address_, order_);
    }
    [[gnu::always_inline]] ~Atomic() {
        if (simt::reads(A) && watched()) simt::t_checked->after_atomic(address_, order_);
    }
    // What it has read; the same again and again is waiting.
    [[gnu::always_inline]] T unchanged(T read, const void* site) const {
        if (simt::t_worker != nullptr) simt::t_worker->poll(address_, static_cast<uint64_t>(read), site);
        return read;
    }
    [[gnu::always_inline]] T updated(T before, const volatile T* p, const void* site) const {
        return __atomic_load_n(p, __ATOMIC_RELAXED) == before ? unchanged(before, site) : before;
    }
    Atomic(const Atomic&) = delete;
    Atomic& operator=(const Atomic&) = delete;

  private:
    static bool watched() { return simt::t_checked != nullptr && simt::t_checked->full; }
    const uintptr_t address_;
    const int order_;
};

}  // namespace

// One set of functions per width; all are done with the strongest order, the one asked for is checked.
#define SITE __builtin_return_address(0)
#define LILY_SIMT_UPDATE(width, T, name)                                             \
    T __tsan_atomic##width##_##name(volatile T* p, T value, int order) {             \
        const Atomic<Access::atomic_update, T> atomic(p, order, SITE);               \
        return atomic.updated(__atomic_##name(p, value, __ATOMIC_SEQ_CST), p, SITE); \
    }
#define LILY_SIMT_EXCHANGE(width, T, name, weak)                                                        \
    int __tsan_atomic##width##_compare_exchange_##name(volatile T* p, T* expected, T wanted, int order, \
                                                       int) {                                           \
        const Atomic<Access::atomic_update, T> atomic(p, order, SITE);                                  \
        const bool done =                                                                               \
            __atomic_compare_exchange_n(p, expected, wanted, weak, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
        if (!done) atomic.unchanged(*expected, SITE);                                                   \
        return done;                                                                                    \
    }
#define LILY_SIMT_ATOMICS(width, T)                                                                       \
    T __tsan_atomic##width##_load(const volatile T* p, int order) {                                       \
        const Atomic<Access::atomic_load, T> atomic(p, order, SITE);                                      \
        return atomic.unchanged(__atomic_load_n(p, __ATOMIC_SEQ_CST), SITE);                              \
    }                                                                                                     \
    void __tsan_atomic##width##_store(volatile T* p, T value, int order) {                                \
        const Atomic<Access::atomic_store, T> atomic(p, order, SITE);                                     \
        __atomic_store_n(p, value, __ATOMIC_SEQ_CST);                                                     \
    }                                                                                                     \
    T __tsan_atomic##width##_exchange(volatile T* p, T value, int order) {                                \
        const Atomic<Access::atomic_update, T> atomic(p, order, SITE);                                    \
        return atomic.updated(__atomic_exchange_n(p, value, __ATOMIC_SEQ_CST), p, SITE);                  \
    }                                                                                                     \
    LILY_SIMT_UPDATE(width, T, fetch_add)                                                                 \
    LILY_SIMT_UPDATE(width, T, fetch_sub)                                                                 \
    LILY_SIMT_UPDATE(width, T, fetch_and)                                                                 \
    LILY_SIMT_UPDATE(width, T, fetch_or)                                                                  \
    LILY_SIMT_UPDATE(width, T, fetch_xor)                                                                 \
    LILY_SIMT_UPDATE(width, T, fetch_nand)                                                                \
    LILY_SIMT_EXCHANGE(width, T, strong, false)                                                           \
    LILY_SIMT_EXCHANGE(width, T, weak, true)                                                              \
    T __tsan_atomic##width##_compare_exchange_val(volatile T* p, T expected, T wanted, int order, int) {  \
        const Atomic<Access::atomic_update, T> atomic(p, order, SITE);                                    \
        const bool done =                                                                                 \
            __atomic_compare_exchange_n(p, &expected, wanted, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
        return done ? expected : atomic.unchanged(expected, SITE);                                        \
    }

extern "C" {
LILY_SIMT_ATOMICS(8, uint8_t)
LILY_SIMT_ATOMICS(16, uint16_t)
LILY_SIMT_ATOMICS(32, uint32_t)
LILY_SIMT_ATOMICS(64, uint64_t)
void __tsan_atomic_thread_fence(int) {
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (simt::t_checked != nullptr) simt::t_checked->fence(simt::t_checked->scope);
}
void __tsan_atomic_signal_fence(int) {}
}
