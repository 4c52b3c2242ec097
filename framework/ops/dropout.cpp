// SPDX-License-Identifier: MIT
#include "framework/ops/dropout.h"

#include "framework/autograd.h"
#include "kernels/dropout/dropout.h"

namespace lily {
namespace {

// Linear in x, so it is its own gradient, of any order.
Tensor dropped(const Tensor& input, double p, kernels::RandomStream stream) {
    const Tensor x = input.contiguous();
    Tensor y = empty_like(x);
    visit_floating("dropout", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::dropout<T>(x.device())
            .apply(x.queue(), stream, p, x.numel(), x.data<T>(), y.mutable_data<T>());
    });
    return record("dropout", y, {x}, [p, stream](const Backward& g) {  // y = mask · x / (1 - p)
        return Gradients{dropped(g.dy, p, stream)};
    });
}

}  // namespace

Tensor dropout(const Tensor& x, Generator& generator, double p, bool training) {
    check(p >= 0 && p <= 1, "[dropout] expected p in [0, 1], got {}", p);
    if (!training || p == 0) return x;
    return dropped(x, p, generator.claim_blocks(x.device(), kernels::dropout_blocks(x.numel())));
}

}  // namespace lily
