// SPDX-License-Identifier: MIT
// Moving elements without changing them, or making them all alike: between memory formats, and from one
// strided view to another (permute, slice, pad, concat and expand are all strided copies).
#pragma once

#include <array>
#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

// (N, C, M): M = H·W positions of C channels.
struct PlanesShape {
    int64_t n, c, m;
};
inline constexpr int64_t kChannelsLast = -1;

// Sizes of a strided copy, outermost dimension first, with the strides (in elements) on both sides.
struct StridedCopy {
    static constexpr int kMaxRank = 8;
    int rank = 0;
    std::array<int64_t, kMaxRank> size{}, from_stride{}, to_stride{};
};

template <class T>
struct CopyKernels {
    // Layouts: 1 = (N,C,M), b = (N,C/b,M,b), kChannelsLast = (N,M,C)
    void (*reorder)(Queue&, PlanesShape, int64_t from_layout, int64_t to_layout, const T* x, T* y);
    void (*strided)(Queue&, const StridedCopy&, const T* x,
                    T* y);                           // y[Σ iₖ·to_strideₖ] = x[Σ iₖ·from_strideₖ]
    void (*fill)(Queue&, int64_t n, T value, T* y);  // y[i] = value
};
template <class T>
const CopyKernels<T>& copy(Device device);

// How often `reorder` ran on the CPU in this process: a test counts what a chain of ops costs beside them.
int64_t cpu_reorders();
template <class T>
const CopyKernels<T>& copy_on(simt::Gpu);  // copy.cu
template <class T>
const CopyKernels<T>& copy_on(cuda::Gpu);

}  // namespace lily::kernels
