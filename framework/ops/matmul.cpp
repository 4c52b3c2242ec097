// SPDX-License-Identifier: MIT
#include "framework/ops/matmul.h"

#include <vector>

#include "framework/autograd.h"
#include "framework/ops/reduce.h"
#include "framework/ops/shape.h"
#include "kernels/matmul/matmul.h"

namespace lily {
namespace {

constexpr Transposed operator!(Transposed t) {
    return t == Transposed::yes ? Transposed::no : Transposed::yes;
}

Shape batch_of(const Tensor& x) { return Shape(x.shape().begin(), x.shape().end() - 2); }

// For each matrix of the result, in order, the matrix of an operand with batch dimensions `from` that it
// takes.
std::vector<int64_t> batch_index(const Shape& from, const Shape& to) {
    std::vector<int64_t> index(static_cast<size_t>(to.numel()));
    for (int64_t at = 0; at < to.numel(); ++at) {
        int64_t rest = at, step = 1, sum = 0;
        for (int64_t d = to.rank() - 1; d >= 0; --d) {
            const int64_t own = d - (to.rank() - from.rank());
            if (own >= 0) {
                if (from[own] != 1) sum += rest % to[d] * step;
                step *= from[own];
            }
            rest /= to[d];
        }
        index[static_cast<size_t>(at)] = sum;
    }
    return index;
}

// One kernel call per run of matrices that lie evenly spaced in both operands.
template <class T>
void run_products(kernels::MatmulShape s, const Tensor& a, const Tensor& b, const Shape& batch, Tensor& c) {
    const auto ia = batch_index(batch_of(a), batch), ib = batch_index(batch_of(b), batch);
    s.c_stride = s.m * s.n;
    T* out = c.mutable_data<T>();
    for (size_t first = 0; first < ia.size();) {
        const auto next = [&](const std::vector<int64_t>& index) {
            return first + 1 < index.size() ? index[first + 1] - index[first] : 0;
        };
        const int64_t step_a = next(ia), step_b = next(ib);
        size_t last = first + 1;
        while (last < ia.size() && ia[last] - ia[last - 1] == step_a && ib[last] - ib[last - 1] == step_b)
            ++last;
        s.batch = static_cast<int64_t>(last - first);
        s.a_stride = step_a * s.m * s.k;
        s.b_stride = step_b * s.k * s.n;
        kernels::matmul<T>(c.device())
            .product(c.queue(), s, a.data<T>() + ia[first] * s.m * s.k, b.data<T>() + ib[first] * s.k * s.n,
                     T(0), out + static_cast<int64_t>(first) * s.c_stride);
        first = last;
    }
}

void check_operands(const char* op, const Tensor& a, const Tensor& b) {
    check(a.dtype() == b.dtype(), "[{}] expected equal dtypes, got {} and {}", op, name(a.dtype()),
          name(b.dtype()));
    check_same_device(op, a, b);
}

}  // namespace

Tensor matmul(const Tensor& left, Transposed ta, const Tensor& right, Transposed tb) {
    check_operands("matmul", left, right);
    check(left.rank() >= 2 && right.rank() >= 2, "[matmul] expected (…,M,K) and (…,K,N), got {} and {}",
          left.shape(), right.shape());
    const Tensor a = left.contiguous(), b = right.contiguous();
    const bool transpose_a = ta == Transposed::yes, transpose_b = tb == Transposed::yes;
    const int64_t m = a.size(transpose_a ? -1 : -2), k = a.size(transpose_a ? -2 : -1);
    const int64_t n = b.size(transpose_b ? -2 : -1), b_k = b.size(transpose_b ? -1 : -2);
    check(k == b_k, "[matmul] inner sizes differ: {}{} times {}{}", a.shape(), transpose_a ? "ᵀ" : "",
          b.shape(), transpose_b ? "ᵀ" : "");
    const Shape batch = broadcast_shapes("matmul", batch_of(a), batch_of(b));
    Shape shape = batch;
    shape.push_back(m);
    shape.push_back(n);
    Tensor c = empty(shape, {.dtype = a.dtype(), .device = a.device()});
    visit_floating("matmul", a.dtype(), [&](auto zero) {
        run_products<decltype(zero)>(kernels::matmul_shape(m, n, k, transpose_a, transpose_b), a, b, batch,
                                     c);
    });
    return record("matmul", c, {a, b},
                  [ta, tb, sa = a.shape(), sb = b.shape(), a = saved_if(b.requires_grad(), a),
                   b = saved_if(a.requires_grad(), b)](const Backward& g) {  // C = op(A) op(B)
                      const auto da = [&] {
                          return ta == Transposed::yes ? matmul(b(), tb, g.dy, Transposed::yes)
                                                       : matmul(g.dy, Transposed::no, b(), !tb);
                      };
                      const auto db = [&] {
                          return tb == Transposed::yes ? matmul(g.dy, Transposed::yes, a(), ta)
                                                       : matmul(a(), !ta, g.dy, Transposed::no);
                      };
                      return Gradients{g.needs(0) ? sum_to(da(), sa) : Tensor{},
                                       g.needs(1) ? sum_to(db(), sb) : Tensor{}};
                  });
}

Tensor matmul(const Tensor& a, const Tensor& b) {
    check_operands("matmul", a, b);
    check(a.rank() >= 1 && b.rank() >= 1, "[matmul] expected at least one dimension each, got {} and {}",
          a.shape(), b.shape());
    check(a.size(-1) == b.size(b.rank() == 1 ? 0 : -2), "[matmul] inner sizes differ: {} times {}", a.shape(),
          b.shape());
    const auto product = [](const Tensor& x, const Tensor& y) {
        return matmul(x, Transposed::no, y, Transposed::no);
    };
    if (a.rank() == 1) {
        const Tensor c =
            b.rank() == 1 ? product(unsqueeze(a, 0), unsqueeze(b, 1)) : product(unsqueeze(a, 0), b);
        return b.rank() == 1 ? reshape(c, {}) : squeeze(c, -2);
    }
    if (b.rank() == 1) return squeeze(matmul(a, unsqueeze(b, 1)), -1);
    if (b.rank() > 2 || a.rank() == 2) return product(a, b);
    // (…,M,K) x (K,N): one product of many rows instead of many products
    Shape shape = a.shape();
    shape[shape.rank() - 1] = b.size(1);
    const int64_t rows = Shape(a.shape().begin(), a.shape().end() - 1).numel();
    return reshape(product(reshape(a, {rows, a.size(-1)}), b), shape);
}

Tensor bmm(const Tensor& a, const Tensor& b) {
    check(a.rank() == 3 && b.rank() == 3 && a.size(0) == b.size(0) && a.size(2) == b.size(1),
          "[bmm] expected (B,M,K) and (B,K,N), got {} and {}", a.shape(), b.shape());
    return matmul(a, Transposed::no, b, Transposed::no);
}

Tensor Tensor::matmul(const Tensor& other) const { return lily::matmul(*this, other); }

}  // namespace lily
