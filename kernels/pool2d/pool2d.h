// SPDX-License-Identifier: MIT
// Maximum and mean over windows. Window (i,j) covers x[i·stride - padding + r, j·stride - padding + s],
// (r,s) < kernel; what lies outside of x does not count (as -inf, or as 0 in the mean).
//   max   y[i,j] = max_r,s x[…]          dx[where the maximum was] += dy[i,j]
//   mean  y[i,j] = Σ_r,s x[…] / count    dx[…] += dy[i,j] / count
// Both gradients are linear maps whose transposes are `max_gather` and the mean itself.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

// Memory is (planes, H, W, lanes): lanes = 1 with planes = N·C is contiguous, lanes = b with planes = N·C/b
// is blocked by b, lanes = C with planes = N is channels last.
struct Pool2dShape {
    int64_t planes, lanes, h, w;  // x
    std::array<int64_t, 2> kernel, stride, padding;

    int64_t out_h() const { return extent(h, 0); }
    int64_t out_w() const { return extent(w, 1); }

  private:
    int64_t extent(int64_t size, size_t axis) const {
        const int64_t room = size + 2 * padding[axis] - kernel[axis];
        return room < 0 ? 0 : room / stride[axis] + 1;
    }
};

inline constexpr int64_t kMaxPoolTaps =
    256;  // positions of a window that an index of one byte can tell apart

template <class T>
struct Pool2dKernels {
    // index (like y): r·kernel_w + s of the first maximum, or of a NaN; null: not wanted
    void (*max)(Queue&, const Pool2dShape&, const T* x, T* y, uint8_t* index);
    void (*max_scatter)(Queue&, const Pool2dShape&, const T* dy, const uint8_t* index, T* dx);  // dx =
    void (*max_gather)(Queue&, const Pool2dShape&, const T* x, const uint8_t* index, T* y);  // y = x[index]
    // count: the kernel's size, or with !count_padding only its positions inside of x
    void (*mean)(Queue&, const Pool2dShape&, bool count_padding, const T* x, T* y);
    void (*mean_backward)(Queue&, const Pool2dShape&, bool count_padding, const T* dy, T* dx);  // dx =
};
template <class T>
const Pool2dKernels<T>& pool2d(Device device);
const Pool2dKernels<float>& pool2d_on(simt::Gpu);  // pool2d.cu
const Pool2dKernels<float>& pool2d_on(cuda::Gpu);

}  // namespace lily::kernels
