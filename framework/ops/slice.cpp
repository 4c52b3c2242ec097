// SPDX-License-Identifier: MIT
#include "framework/ops/slice.h"

#include <algorithm>

#include "framework/ops/region.h"

namespace lily {

Tensor slice(const Tensor& x, int64_t wanted, int64_t start, int64_t end, int64_t step) {
    check(x.rank() > 0, "[slice] a scalar has no dimension to slice");
    check(step >= 1, "[slice] expected a step of at least 1, got {}", step);
    const int64_t dim = wrap_dim("slice", wanted, x.rank()), size = x.size(dim);
    const auto position = [size](int64_t p) { return std::clamp<int64_t>(p < 0 ? p + size : p, 0, size); };
    const int64_t first = position(start), count = std::max<int64_t>(0, position(end) - first);
    Shape shape = x.shape();
    shape[dim] = count / step + (count % step != 0);
    if (shape == x.shape()) return x;
    return take_region(x, whole(shape, dim, first, step), shape);
}

}  // namespace lily
