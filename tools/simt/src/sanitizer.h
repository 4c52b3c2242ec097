// SPDX-License-Identifier: MIT
// What the address sanitizer has to be told: which device memory is alive, and that stacks are switched.
#pragma once

#include <cstddef>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define LILY_SIMT_ASAN 1
#else
#define LILY_SIMT_ASAN 0
#endif

namespace simt {

inline void poison([[maybe_unused]] void* memory, [[maybe_unused]] size_t bytes) {
#if LILY_SIMT_ASAN
    __asan_poison_memory_region(memory, bytes);
#endif
}
inline void unpoison([[maybe_unused]] void* memory, [[maybe_unused]] size_t bytes) {
#if LILY_SIMT_ASAN
    __asan_unpoison_memory_region(memory, bytes);
#endif
}

// Around every switch: before it with the stack to come, after it with what was kept.
inline void before_switch([[maybe_unused]] void** keep, [[maybe_unused]] const void* stack,
                          [[maybe_unused]] size_t bytes) {
#if LILY_SIMT_ASAN
    __sanitizer_start_switch_fiber(keep, stack, bytes);
#endif
}
inline void after_switch([[maybe_unused]] void* kept, [[maybe_unused]] const void** stack,
                         [[maybe_unused]] size_t* bytes) {
#if LILY_SIMT_ASAN
    __sanitizer_finish_switch_fiber(kept, stack, bytes);
#endif
}

}  // namespace simt
