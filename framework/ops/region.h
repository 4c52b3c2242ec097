// SPDX-License-Identifier: MIT
// What slice, pad and cat share: a regular grid of elements of a tensor, taken out or put back.
#pragma once

#include <vector>

#include "framework/tensor.h"

namespace lily {

// The elements start + k·step of each dimension; one entry per dimension.
struct Region {
    std::vector<int64_t> start, step;
};

// Two ops that are each other's gradient. A blocked map stays blocked where the region's channels are whole
// blocks.
Tensor take_region(const Tensor& x, const Region& region, const Shape& shape);  // y(k) = x(start + k·step)
Tensor put_region(const Tensor& x, const Region& region, const Shape& shape,    // y(start + k·step) = x(k),
                  double value);                                                // `value` everywhere else

// put_region into a y that exists; no gradient. If y is blocked, the region's channels are whole blocks.
void copy_into_region(const Tensor& x, const Region& region, Tensor& y);

// All of a shape, and the same with dimension `dim` from `start` on.
Region whole(const Shape& shape, int64_t dim = 0, int64_t start = 0, int64_t step = 1);

}  // namespace lily
