// SPDX-License-Identifier: MIT
#include "framework/ops/where.h"

#include "framework/autograd.h"
#include "framework/ops/broadcast.h"
#include "framework/ops/reduce.h"
#include "kernels/where/where.h"

namespace lily {
namespace {

using kernels::WhereShape;

Tensor select(Tensor c, Tensor a, Tensor b) {
    check(a.dtype() == b.dtype(), "[where] expected equal dtypes, got {} and {}", name(a.dtype()),
          name(b.dtype()));
    check(c.dtype() == DType::u8 || c.dtype() == a.dtype(),
          "[where] expected a condition of u8 or {}, got {}", name(a.dtype()), name(c.dtype()));
    const Device device = c.device() != Device::cpu   ? c.device()
                          : a.device() != Device::cpu ? a.device()
                                                      : b.device();
    for (Tensor* t : {&c, &a, &b}) move_constant(*t, device);
    check_same_device("where", c, a);
    check_same_device("where", a, b);
    const Shape shape = broadcast_shapes("where", broadcast_shapes("where", c.shape(), a.shape()), b.shape());
    check(shape.rank() <= kernels::kMaxBroadcastRank, "[where] at most {} dimensions, got {}",
          kernels::kMaxBroadcastRank, shape);
    TensorOptions result = a.options();
    WhereShape s;
    const auto is_alike = [&](const Tensor& t) {  // the order of elements does not matter
        return t.rank() == 0 || (t.shape() == shape && t.format() == result.format);
    };
    if (a.rank() == 0) result.format = b.rank() == 0 ? c.format() : b.format();
    if (is_alike(c) && is_alike(a) && is_alike(b)) {
        s.rank = 1;
        s.size[0] = shape.numel();
        s.c_stride[0] = c.rank() != 0;
        s.a_stride[0] = a.rank() != 0;
        s.b_stride[0] = b.rank() != 0;
    } else {
        result.format = broadcast<WhereShape>(
            shape, s, {{c, &WhereShape::c_stride}, {a, &WhereShape::a_stride}, {b, &WhereShape::b_stride}});
        s = merged(s, &WhereShape::c_stride, &WhereShape::a_stride, &WhereShape::b_stride);
    }
    Tensor y = empty(shape, result);
    if (shape.numel() == 0) return y;
    visit_floating("where", a.dtype(), [&](auto zero) {
        using T = decltype(zero);
        const auto& kernel = kernels::where<T>(device);
        const T *from_a = a.data<T>(), *from_b = b.data<T>();
        T* to = y.mutable_data<T>();
        if (c.dtype() == DType::u8) return kernel.by_u8(y.queue(), s, c.data<uint8_t>(), from_a, from_b, to);
        kernel.by_float(y.queue(), s, c.data<T>(), from_a, from_b, to);
    });
    return y;
}

}  // namespace

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
    return record("where", select(condition, a, b), {a, b},
                  [c = Saved(condition.detach()), sa = a.shape(), sb = b.shape()](const Backward& g) {
                      const Tensor none = scalar(0, {.dtype = g.dy.dtype()});  // y = c ? a : b
                      return Gradients{g.needs(0) ? sum_to(where(c(), g.dy, none), sa) : Tensor{},
                                       g.needs(1) ? sum_to(where(c(), none, g.dy), sb) : Tensor{}};
                  });
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, double value) {
    return where(mask, scalar(value, {.dtype = x.dtype()}), x);
}

}  // namespace lily
