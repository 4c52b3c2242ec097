// SPDX-License-Identifier: MIT
// A separable filter over every plane of a map, with zeros beyond its border. Taps f[0…n), r = (n-1)/2.
//   forward    y[i,j] = Σ_a,b f[a] f[b] x[i+a-r, j+b-r]
//   backward  the same with the taps in reverse order
#pragma once

#include <array>
#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/planes.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

// An odd number of taps.
struct BlurFilter {
    static constexpr int kMaxTaps = 15;
    int taps = 0;
    std::array<double, kMaxTaps> tap{};

    int radius() const { return (taps - 1) / 2; }
};

template <class T>
struct BlurKernels {
    void (*forward)(Queue&, const Planes&, const BlurFilter&, const T* x, T* y);
};
template <class T>
const BlurKernels<T>& blur(Device device);
const BlurKernels<float>& blur_on(simt::Gpu);  // blur.cu
const BlurKernels<float>& blur_on(cuda::Gpu);

}  // namespace lily::kernels
