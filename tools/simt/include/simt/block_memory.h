// SPDX-License-Identifier: MIT
// Included before all else in kernels' sources: their calls of memcpy and its like are checked
// (src/xray.cpp).
#pragma once

#include <stddef.h>

extern "C" {
void* memcpy(void* __restrict to, const void* __restrict from, size_t bytes) noexcept
    __asm__("lily_simt_memcpy");
void* memmove(void* to, const void* from, size_t bytes) noexcept __asm__("lily_simt_memmove");
void* memset(void* to, int value, size_t bytes) noexcept __asm__("lily_simt_memset");
}
