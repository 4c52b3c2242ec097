// SPDX-License-Identifier: MIT
#pragma once

#include <array>

#include "framework/tensor.h"

namespace lily {

// A square or (height, width) size.
struct Pool2dSize {
    std::array<int64_t, 2> size;
    Pool2dSize(int64_t both) : size{both, both} {}
    Pool2dSize(int64_t height, int64_t width) : size{height, width} {}
};

// x (N,C,H,W) -> (N,C,OH,OW), OH = (H + 2·padding - kernel) / stride + 1, in x's memory format. A stride of 0
// is the kernel's size; padding at most half of it. The first of equal maxima gets the gradient; NaN wins.
Tensor max_pool2d(const Tensor& x, Pool2dSize kernel, Pool2dSize stride = 0, Pool2dSize padding = 0);
// Its gradient, as an op of its own: dx (x_shape) = dy where the maxima were, else 0. index: which position
// of its window each y came from, row·kernel width + column, u8, in the order of dy's memory.
Tensor max_pool2d_backward(const Tensor& dy, const Tensor& index, const Shape& x_shape, Pool2dSize kernel,
                           Pool2dSize stride = 0, Pool2dSize padding = 0);
// count_include_pad: the divisor is the kernel's size also where it reaches beyond x.
Tensor avg_pool2d(const Tensor& x, Pool2dSize kernel, Pool2dSize stride = 0, Pool2dSize padding = 0,
                  bool count_include_pad = true);

}  // namespace lily
