// SPDX-License-Identifier: MIT
#include "framework/ops/arithmetic.h"

#include "framework/autograd.h"
#include "framework/ops/pointwise.h"
#include "framework/ops/reduce.h"
#include "framework/ops/unary.h"
#include "kernels/elementwise/elementwise.h"

namespace lily {
namespace {

using kernels::Binary;
using kernels::BroadcastShape;

// Strides of a row-major `from`, aligned with the last dimension of `to`; 0 along broadcast dimensions.
void broadcast_strides(const Shape& from, const Shape& to,
                       std::array<int64_t, BroadcastShape::kMaxRank>& stride) {
    int64_t step = 1;
    for (int64_t i = from.rank() - 1; i >= 0; --i) {
        stride[static_cast<size_t>(i + to.rank() - from.rank())] = from[i] == 1 ? 0 : step;
        step *= from[i];
    }
}

// Merges neighbouring dimensions that both inputs walk through alike: (8,3,32,32) op (8,3,32,32) is one run.
BroadcastShape merged(const BroadcastShape& s) {
    BroadcastShape m;
    for (int d = 0; d < s.rank; ++d) {
        if (s.size[d] == 1) continue;
        const int last = m.rank - 1;
        if (m.rank > 0 && m.a_stride[last] == s.a_stride[d] * s.size[d] &&
            m.b_stride[last] == s.b_stride[d] * s.size[d]) {
            m.size[last] *= s.size[d];
            m.a_stride[last] = s.a_stride[d];
            m.b_stride[last] = s.b_stride[d];
        } else {
            m.size[m.rank] = s.size[d];
            m.a_stride[m.rank] = s.a_stride[d];
            m.b_stride[m.rank] = s.b_stride[d];
            ++m.rank;
        }
    }
    return m;
}

Tensor run_binary(const char* name_of_op, Binary op, Tensor a, Tensor b) {
    check(a.dtype() == b.dtype(), "[{}] expected equal dtypes, got {} and {}", name_of_op, name(a.dtype()),
          name(b.dtype()));
    if (a.device() != b.device()) {  // a scalar of the CPU goes to where the other one is, as in PyTorch
        const auto is_constant = [](const Tensor& t) {
            return t.rank() == 0 && t.device() == Device::cpu && !t.requires_grad();
        };
        if (is_constant(b)) b = b.to(a.device());
        if (is_constant(a)) a = a.to(b.device());
    }
    check_same_device(name_of_op, a, b);
    const Shape shape = broadcast_shapes(name_of_op, a.shape(), b.shape());
    check(shape.rank() <= BroadcastShape::kMaxRank, "[{}] at most {} dimensions, got {}", name_of_op,
          BroadcastShape::kMaxRank, shape);
    BroadcastShape s;
    TensorOptions result = a.options();
    if (a.shape() == b.shape() && a.format() == b.format()) {  // any memory format: the order does not matter
        s.rank = 1;
        s.size[0] = a.numel();
        s.a_stride[0] = s.b_stride[0] = 1;
    } else {
        const NoGrad no_grad;
        a = a.contiguous();
        b = b.contiguous();
        result.format = MemoryFormat::contiguous;
        s.rank = static_cast<int>(shape.rank());
        for (int d = 0; d < s.rank; ++d) s.size[d] = shape[d];
        broadcast_strides(a.shape(), shape, s.a_stride);
        broadcast_strides(b.shape(), shape, s.b_stride);
        s = merged(s);
    }
    Tensor z = empty(shape, result);
    if (shape.numel() == 0) return z;
    visit_floating(name_of_op, a.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::elementwise<T>(a.device())
            .binary(a.queue(), op, s, a.data<T>(), b.data<T>(), z.mutable_data<T>());
    });
    return z;
}

// maximum and minimum: dL/da = dy·(1 - [a loses] - ½[a = b]), all of it for both where one is NaN.
Tensor extremum(const char* name_of_op, Binary op, Binary loses, const Tensor& a, const Tensor& b) {
    return record(
        name_of_op, run_binary(name_of_op, op, a, b), {a, b},
        [=, a = Saved(a.detach()), b = Saved(b.detach())](const Backward& g) {
            const Tensor tie = run_binary(name_of_op, Binary::eq, a(), b()) * 0.5;
            const auto part = [&](const Tensor& mine, const Tensor& other) {
                const Tensor lost = run_binary(name_of_op, loses, mine, other) + tie;
                return sum_to(masked(g.dy, 1 - lost), mine.shape());
            };
            return Gradients{g.needs(0) ? part(a(), b()) : Tensor{}, g.needs(1) ? part(b(), a()) : Tensor{}};
        });
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
    return record("add", run_binary("add", Binary::add, a, b), {a, b},
                  [sa = a.shape(), sb = b.shape()](const Backward& g) {  // z = a + b
                      return Gradients{g.needs(0) ? sum_to(g.dy, sa) : Tensor{},
                                       g.needs(1) ? sum_to(g.dy, sb) : Tensor{}};
                  });
}

Tensor sub(const Tensor& a, const Tensor& b) {
    return record("sub", run_binary("sub", Binary::sub, a, b), {a, b},
                  [sa = a.shape(), sb = b.shape()](const Backward& g) {  // z = a - b
                      return Gradients{g.needs(0) ? sum_to(g.dy, sa) : Tensor{},
                                       g.needs(1) ? sum_to(-g.dy, sb) : Tensor{}};
                  });
}

Tensor mul(const Tensor& a, const Tensor& b) {
    return record("mul", run_binary("mul", Binary::mul, a, b), {a, b},
                  [sa = a.shape(), sb = b.shape(), a = saved_if(b.requires_grad(), a),
                   b = saved_if(a.requires_grad(), b)](const Backward& g) {  // z = a b
                      return Gradients{g.needs(0) ? sum_to(g.dy * b(), sa) : Tensor{},
                                       g.needs(1) ? sum_to(g.dy * a(), sb) : Tensor{}};
                  });
}

Tensor div(const Tensor& a, const Tensor& b) {
    return record(
        "div", run_binary("div", Binary::div, a, b), {a, b},
        [sa = a.shape(), a = saved_if(b.requires_grad(), a), b = Saved(b)](const Backward& g) {  // z = a / b
            return Gradients{g.needs(0) ? sum_to(g.dy / b(), sa) : Tensor{},
                             g.needs(1) ? sum_to(-(g.dy * ((a() / b()) / b())), b().shape()) : Tensor{}};
        });
}

Tensor maximum(const Tensor& a, const Tensor& b) {
    return extremum("maximum", Binary::maximum, Binary::lt, a, b);
}
Tensor minimum(const Tensor& a, const Tensor& b) {
    return extremum("minimum", Binary::minimum, Binary::gt, a, b);
}

Tensor masked(const Tensor& a, const Tensor& mask) {
    return record("masked", run_binary("masked", Binary::masked, a, mask), {a},
                  [sa = a.shape(), mask = Saved(mask.detach())](const Backward& g) {  // z = a mask
                      return Gradients{sum_to(masked(g.dy, mask()), sa)};
                  });
}

// Not a product with 1 / b, which is rounded: 41 / 41 would be 0.99999994 in f32.
Tensor operator/(const Tensor& a, double b) {
    return unary("div", kernels::Unary::quotient, {.a = b}, a, SlopeUses::nothing,
                 [b](const Tensor&, const Tensor& dy) { return dy / b; });
}

Tensor affine(const Tensor& x, double scale, double shift) {
    Tensor y = empty_like(x);
    visit_floating("affine", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::elementwise<T>(x.device())
            .affine(x.queue(), x.numel(), static_cast<T>(scale), static_cast<T>(shift), x.data<T>(),
                    y.mutable_data<T>());
    });
    return record("affine", y, {x}, [scale](const Backward& g) { return Gradients{affine(g.dy, scale, 0)}; });
}

Tensor gt(const Tensor& a, const Tensor& b) { return run_binary("gt", Binary::gt, a, b); }
Tensor ge(const Tensor& a, const Tensor& b) { return run_binary("ge", Binary::ge, a, b); }
Tensor lt(const Tensor& a, const Tensor& b) { return run_binary("lt", Binary::lt, a, b); }
Tensor le(const Tensor& a, const Tensor& b) { return run_binary("le", Binary::le, a, b); }
Tensor eq(const Tensor& a, const Tensor& b) { return run_binary("eq", Binary::eq, a, b); }

}  // namespace lily
