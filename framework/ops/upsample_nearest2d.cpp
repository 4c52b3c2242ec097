// SPDX-License-Identifier: MIT
#include "framework/ops/upsample_nearest2d.h"

#include "framework/autograd.h"
#include "framework/ops/planes.h"
#include "kernels/upsample_nearest2d/upsample_nearest2d.h"

namespace lily {
namespace {

// dx[i,j] = Σ dy over the factor[0]·factor[1] positions that repeat x[i,j]: linear in dy.
Tensor sum_blocks(const Tensor& dy, kernels::UpsampleFactor factor) {
    Tensor dx = empty({dy.size(0), dy.size(1), dy.size(2) / factor[0], dy.size(3) / factor[1]}, dy.options());
    visit_floating("upsample_nearest2d", dy.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::upsample_nearest2d<T>(dy.device())
            .backward(dy.queue(), planes_of("upsample_nearest2d", dx), factor, dy.data<T>(),
                      dx.mutable_data<T>());
    });
    return record("upsample_nearest2d_backward", dx, {dy},
                  [factor](const Backward& g) { return Gradients{upsample_nearest2d(g.dy, factor)}; });
}

}  // namespace

Tensor upsample_nearest2d(const Tensor& x, std::array<int64_t, 2> factor) {
    const auto planes = planes_of("upsample_nearest2d", x);
    check(factor[0] >= 1 && factor[1] >= 1, "[upsample_nearest2d] expected factors of at least 1, got ({})",
          fmt::join(factor, ","));
    Tensor y = empty({x.size(0), x.size(1), x.size(2) * factor[0], x.size(3) * factor[1]}, x.options());
    visit_floating("upsample_nearest2d", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::upsample_nearest2d<T>(x.device())
            .forward(x.queue(), planes, factor, x.data<T>(), y.mutable_data<T>());
    });
    return record("upsample_nearest2d", y, {x}, [factor](const Backward& g) {  // y[i,j] = x[⌊i/fh⌋, ⌊j/fw⌋]
        return Gradients{sum_blocks(g.dy, factor)};
    });
}

}  // namespace lily
