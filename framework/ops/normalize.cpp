// SPDX-License-Identifier: MIT
#include "framework/ops/normalize.h"

#include "framework/ops/arithmetic.h"
#include "framework/ops/pointwise.h"
#include "framework/ops/reduce.h"

namespace lily {

Tensor normalize(const Tensor& x, int64_t dim, double eps) {
    check(is_floating(x.dtype()), "[normalize] expected a tensor of f32 or f64, got {}", name(x.dtype()));
    check(eps > 0 && eps * eps > 1e-37, "[normalize] expected eps > 3e-19, got {}", eps);
    // cut off before the root, whose slope at 0 is infinite
    const Tensor squares = maximum(sum(square(x), {dim}, true), scalar(eps * eps, {.dtype = x.dtype()}));
    return x / sqrt(squares);
}

}  // namespace lily
