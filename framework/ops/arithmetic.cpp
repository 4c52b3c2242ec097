// SPDX-License-Identifier: MIT
#include "framework/ops/arithmetic.h"

#include "framework/autograd.h"
#include "framework/ops/broadcast.h"
#include "framework/ops/pointwise.h"
#include "framework/ops/reduce.h"
#include "framework/ops/unary.h"
#include "kernels/compare/compare.h"
#include "kernels/elementwise/functions.h"

namespace lily {
namespace {

using kernels::Binary;
using kernels::BroadcastShape;

// Two tensors as kernels read them, and what their result is like.
struct Operands {
    Tensor a, b;
    Shape shape;
    BroadcastShape s;
    TensorOptions result;
};

Operands operands(const char* name_of_op, Tensor a, Tensor b) {
    check(a.dtype() == b.dtype(), "[{}] expected equal dtypes, got {} and {}", name_of_op, name(a.dtype()),
          name(b.dtype()));
    if (a.device() != b.device()) {
        move_constant(b, a.device());
        move_constant(a, b.device());
    }
    check_same_device(name_of_op, a, b);
    const Shape shape = broadcast_shapes(name_of_op, a.shape(), b.shape());
    check(shape.rank() <= BroadcastShape::kMaxRank, "[{}] at most {} dimensions, got {}", name_of_op,
          BroadcastShape::kMaxRank, shape);
    BroadcastShape s;
    TensorOptions result = a.options();
    const auto fills = [&](const Tensor& t, const Tensor& other) {  // any order of the elements will do
        return t.shape() == shape &&
               (other.numel() == 1 || (other.shape() == shape && other.format() == t.format()));
    };
    if (fills(a, b) || fills(b, a)) {
        result.format = (fills(a, b) ? a : b).format();
        s.rank = 1;
        s.size[0] = shape.numel();
        s.a_stride[0] = a.shape() == shape ? 1 : 0;
        s.b_stride[0] = b.shape() == shape ? 1 : 0;
    } else {
        result.format = broadcast<BroadcastShape>(
            shape, s, {{a, &BroadcastShape::a_stride}, {b, &BroadcastShape::b_stride}});
        s = merged(s, &BroadcastShape::a_stride, &BroadcastShape::b_stride);
    }
    return {a, b, shape, s, result};
}

Tensor run_binary(const char* name_of_op, Binary op, const Tensor& left, const Tensor& right) {
    const auto [a, b, shape, s, result] = operands(name_of_op, left, right);
    Tensor z = empty(shape, result);
    if (shape.numel() == 0) return z;
    visit_floating(name_of_op, a.dtype(), [&, &a = a, &b = b, &s = s](auto zero) {
        using T = decltype(zero);
        kernels::elementwise<T>(a.device())
            .binary(a.queue(), op, s, a.data<T>(), b.data<T>(), z.mutable_data<T>());
    });
    return z;
}

// A mask: of floats in their dtype, so that it can be a factor; of i64 in u8.
Tensor compared(const char* name_of_op, Binary of_floats, kernels::Comparison of_integers, const Tensor& left,
                const Tensor& right) {
    if (left.dtype() != DType::i64) return run_binary(name_of_op, of_floats, left, right);
    auto [a, b, shape, s, result] = operands(name_of_op, left, right);
    result.dtype = DType::u8;
    Tensor z = empty(shape, result);
    if (shape.numel() == 0) return z;
    kernels::compare(a.device())
        .compare(a.queue(), of_integers, s, a.data<int64_t>(), b.data<int64_t>(), z.mutable_data<uint8_t>());
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

Tensor gt(const Tensor& a, const Tensor& b) {
    return compared("gt", Binary::gt, kernels::Comparison::gt, a, b);
}
Tensor ge(const Tensor& a, const Tensor& b) {
    return compared("ge", Binary::ge, kernels::Comparison::ge, a, b);
}
Tensor lt(const Tensor& a, const Tensor& b) {
    return compared("lt", Binary::lt, kernels::Comparison::lt, a, b);
}
Tensor le(const Tensor& a, const Tensor& b) {
    return compared("le", Binary::le, kernels::Comparison::le, a, b);
}
Tensor eq(const Tensor& a, const Tensor& b) {
    return compared("eq", Binary::eq, kernels::Comparison::eq, a, b);
}
Tensor ne(const Tensor& a, const Tensor& b) {
    return compared("ne", Binary::ne, kernels::Comparison::ne, a, b);
}

}  // namespace lily
