// SPDX-License-Identifier: MIT
#pragma once

#include "simt/device.h"

inline namespace simt_cuda {

__forceinline__ void __pipeline_memcpy_async(void* dst_shared, const void* src_global, size_t size_and_align,
                                             size_t zfill = 0) {
    simt::begin_copy(dst_shared, src_global, static_cast<unsigned>(size_and_align),
                     static_cast<unsigned>(zfill));
}
__forceinline__ void __pipeline_commit() { simt::commit_copies(); }
__forceinline__ void __pipeline_wait_prior(size_t prior) {
    simt::wait_for_copies(static_cast<unsigned>(prior));
}

}  // namespace simt_cuda
