// SPDX-License-Identifier: MIT
#pragma once

#include <array>

#include "framework/tensor.h"

namespace lily {

enum class InterpolateMode : uint8_t { bilinear, bicubic };

// x (N,C,H,W) resized to (N,C,size[0],size[1]), as PyTorch's interpolate does it. With `antialias`, as PIL
// does it: the filter grows with the factor when a picture is made smaller, and bicubic's a is -0.5, not
// -0.75.
Tensor interpolate(const Tensor& x, std::array<int64_t, 2> size,
                   InterpolateMode mode = InterpolateMode::bilinear, bool align_corners = false,
                   bool antialias = false);

}  // namespace lily
