// SPDX-License-Identifier: MIT
// Ranges for a profiler, which nobody reads here.
#pragma once

inline namespace simt_cuda {

inline int nvtxRangePushA(const char*) { return 0; }
inline int nvtxRangePop() { return 0; }
inline void nvtxMarkA(const char*) {}

}  // namespace simt_cuda

#define nvtxRangePush nvtxRangePushA
#define nvtxMark nvtxMarkA
