// SPDX-License-Identifier: MIT
#include "framework/ops/embedding.h"

#include "framework/autograd.h"
#include "kernels/embedding/embedding.h"

namespace lily {
namespace {

kernels::EmbeddingShape shape_of(const Tensor& index, int64_t rows, int64_t width) {
    return {rows, width, index.numel()};
}

Tensor lookup(const Tensor& index, const Tensor& weight);

// dweight (rows, width) of dy (…, width): linear in dy, and its gradient looks the rows up again.
Tensor scatter(const Tensor& index, const Tensor& upstream, int64_t rows) {
    const Tensor dy = upstream.contiguous();
    const int64_t width = dy.size(-1);
    Tensor dweight = empty({rows, width}, {.dtype = dy.dtype(), .device = dy.device()});
    visit_floating("embedding", dy.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::embedding<T>(dy.device())
            .backward(dy.queue(), shape_of(index, rows, width), index.data<int64_t>(), dy.data<T>(),
                      dweight.mutable_data<T>());
    });
    return record("embedding_backward", dweight, {dy},
                  [index = Saved(index)](const Backward& g) { return Gradients{lookup(index(), g.dy)}; });
}

Tensor lookup(const Tensor& index, const Tensor& weight) {
    const int64_t rows = weight.size(0), width = weight.size(1);
    Shape shape = index.shape();
    shape.push_back(width);
    Tensor y = empty(shape, {.dtype = weight.dtype(), .device = weight.device()});
    visit_floating("embedding", weight.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::embedding<T>(weight.device())
            .forward(weight.queue(), shape_of(index, rows, width), weight.data<T>(), index.data<int64_t>(),
                     y.mutable_data<T>());
    });
    return record("embedding", y, {weight}, [index = Saved(index), rows](const Backward& g) {
        return Gradients{scatter(index(), g.dy, rows)};
    });
}

}  // namespace

Tensor embedding(const Tensor& index, const Tensor& weight) {
    check(index.dtype() == DType::i64, "[embedding] expected an index of i64, got {}", name(index.dtype()));
    check(weight.rank() == 2, "[embedding] expected a weight (rows,width), got {}", weight.shape());
    check_same_device("embedding", index, weight);
    const Tensor at = index.contiguous();
    if (at.device() == Device::cpu) {
        const int64_t* values = at.data<int64_t>();
        for (int64_t i = 0; i < at.numel(); ++i)
            check(values[i] >= 0 && values[i] < weight.size(0),
                  "[embedding] expected indices in [0, {}), got {} at position {}", weight.size(0), values[i],
                  i);
    }
    return lookup(at, weight);
}

}  // namespace lily
