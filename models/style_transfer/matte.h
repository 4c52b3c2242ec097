// SPDX-License-Identifier: MIT
// How a picture with transparency is looked at.
#pragma once

#include "framework/io/image.h"
#include "framework/tensor.h"

namespace lily::models {

// Puts pictures, normalised for Vgg19, on white: x a + white (1 − a) for the opacity a. The gradient by x
// carries the factor a, so what nobody sees does not change. All opaque: x itself.
class Matte {
  public:
    Matte() = default;                       // all opaque
    explicit Matte(const io::Image& alpha);  // 1 channel; of width 0: all opaque

    Tensor operator()(const Tensor& x) const;  // x (1,3,H,W)
    Matte to(Device device) const;

    const Tensor& opacity() const { return opacity_; }  // (1,3,H,W) in 0…1; undefined: all opaque

  private:
    Tensor opacity_, white_;  // white_: white (1 − a)
};

}  // namespace lily::models
