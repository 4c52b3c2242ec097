// SPDX-License-Identifier: MIT
#pragma once

#include "framework/io/image.h"
#include "framework/tensor.h"

namespace lily::io {

// An RGB or grey picture (H,W,C of bytes) as f32 (1,C,H,W) in 0…1.
Tensor to_tensor(const Image& image);

// The reverse for (1,1,H,W) or (1,3,H,W); values are clamped to 0…1 and rounded to the nearest of 256 steps.
Image to_image(const Tensor& picture);

}  // namespace lily::io
