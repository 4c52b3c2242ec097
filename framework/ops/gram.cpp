// SPDX-License-Identifier: MIT
#include "framework/ops/gram.h"

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/matmul.h"
#include "framework/ops/shape.h"
#include "kernels/gram/gram.h"

namespace lily {
namespace {

kernels::GramShape gram_shape(const Tensor& f, double scale) {
    return {.n = f.size(0),
            .channels = f.size(1),
            .positions = f.size(2) * f.size(3),
            .block = channel_block(f.format()),
            .scale = scale};
}

Tensor gram_backward(const Tensor& f, const Tensor& dg, double scale) {
    Tensor df = empty_like(f);
    visit_floating("gram", f.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::gram<T>(f.device())
            .backward(f.queue(), gram_shape(f, scale), f.data<T>(), dg.data<T>(), df.mutable_data<T>());
    });
    return df;
}

}  // namespace

Tensor gram(const Tensor& features, double scale) {
    check(features.rank() == 4, "[gram] expected (N,C,H,W), got {}", features.shape());
    const Tensor f = features.format() == MemoryFormat::channels_last ? features.contiguous() : features;
    Tensor g = empty({f.size(0), f.size(1), f.size(1)}, {.dtype = f.dtype(), .device = f.device()});
    visit_floating("gram", f.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::gram<T>(f.device())
            .forward(f.queue(), gram_shape(f, scale), f.data<T>(), g.mutable_data<T>());
    });
    return record("gram", g, {f}, [f = Saved(f), scale](const Backward& b) {  // G = scale F Fᵀ
        if (!grad_enabled()) return Gradients{gram_backward(f(), b.dy, scale)};
        const Tensor slope = scale * (b.dy + transpose(b.dy, 1, 2));
        return Gradients{reshape(matmul(slope, flatten(f(), 2)), f().shape())};
    });
}

}  // namespace lily
