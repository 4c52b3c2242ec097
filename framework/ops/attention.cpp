// SPDX-License-Identifier: MIT
#include "framework/ops/attention.h"

#include <cmath>
#include <limits>

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/cat.h"
#include "framework/ops/matmul.h"
#include "framework/ops/reduce.h"
#include "framework/ops/shape.h"
#include "framework/ops/slice.h"
#include "framework/ops/softmax.h"
#include "framework/ops/where.h"
#include "kernels/attention/attention.h"

namespace lily {
namespace {

using kernels::AttentionRows;
using kernels::AttentionShape;

// Where the vectors of all heads lie in a tensor: kernels/attention/attention.h.
struct Layout {
    int64_t first, batch, head, row;

    template <class T>
    AttentionRows<T> in(T* data) const {
        return {data ? data + first : nullptr, batch, head, row};
    }
};

// q, k and v may be one tensor, and so may their gradients.
struct Problem {
    AttentionShape shape;
    Layout q, k, v, y;

    bool is_empty() const {
        return shape.batch == 0 || shape.heads == 0 || shape.queries == 0 || shape.depth == 0;
    }
};

// y, and for its gradient each query's largest score and 1 / Σ exp: (2, batch, heads, queries).
void forward(const Problem& p, const Tensor& q, const Tensor& k, const Tensor& v, Tensor& y,
             Tensor& statistics) {
    statistics = empty({2, p.shape.batch, p.shape.heads, p.shape.queries}, q.options());
    if (p.is_empty()) return;
    if (p.shape.keys == 0) {
        y.fill_(0);
        return;
    }
    visit_floating("attention", q.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::attention<T>(q.device())
            .forward(q.queue(), p.shape, p.q.in(q.data<T>()), p.k.in(k.data<T>()), p.v.in(v.data<T>()),
                     p.y.in(y.mutable_data<T>()), statistics.mutable_data<T>());
    });
}

// What a backward pass reads.
struct Kept {
    Problem problem;
    Saved q, k, v, statistics;
};

// Into dq, dk and dv, those that are defined.
void fused_gradient(const Kept& kept, const Tensor& y, const Tensor& upstream, Tensor& dq, Tensor& dk,
                    Tensor& dv) {
    const Problem& p = kept.problem;
    if (p.is_empty() || p.shape.keys == 0) {
        for (Tensor* d : {&dq, &dk, &dv})
            if (d->defined()) d->fill_(0);
        return;
    }
    const Tensor dy = upstream.contiguous();
    visit_floating("attention", y.dtype(), [&](auto zero) {
        using T = decltype(zero);
        const auto to = [](const Layout& layout, Tensor& d) {
            return layout.in(d.defined() ? d.mutable_data<T>() : nullptr);
        };
        kernels::attention<T>(y.device())
            .backward(y.queue(), p.shape, p.q.in(kept.q().template data<T>()),
                      p.k.in(kept.k().template data<T>()), p.v.in(kept.v().template data<T>()),
                      p.y.in(y.data<T>()), kept.statistics().template data<T>(), p.y.in(dy.data<T>()),
                      {to(p.q, dq), to(p.k, dk), to(p.v, dv)});
    });
}

// The same with ops, which make the matrix: q, dy (…,T,D), k and v (…,S,D).
Gradients composed_gradient(const AttentionShape& shape, const Tensor& q, const Tensor& k, const Tensor& v,
                            const Tensor& dy) {
    constexpr auto yes = Transposed::yes, no = Transposed::no;
    Tensor scores = matmul(q, no, k, yes) * shape.scale;
    if (shape.causal) {
        const Tensor unseen = gt(reshape(arange(shape.keys, q.options()), {1, shape.keys}),
                                 reshape(arange(shape.queries, q.options()), {shape.queries, 1}));
        scores = masked_fill(scores, unseen, -std::numeric_limits<double>::infinity());
    }
    const Tensor p = softmax(scores, -1), dp = matmul(dy, no, v, yes);  // y = p v
    const Tensor ds = p * (dp - sum(p * dp, {-1}, true)) * shape.scale;
    return {matmul(ds, no, k, no), matmul(ds, yes, q, no), matmul(p, yes, dy, no)};
}

double scale_of(const AttentionOptions& options, int64_t depth) {
    return options.scale.value_or(1 / std::sqrt(static_cast<double>(std::max<int64_t>(1, depth))));
}

}  // namespace

Tensor scaled_dot_product_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                    AttentionOptions options) {
    check(query.rank() >= 2 && key.rank() == query.rank() && key.shape() == value.shape() &&
              key.size(-1) == query.size(-1) &&
              std::equal(query.shape().begin(), query.shape().end() - 2, key.shape().begin()),
          "[scaled_dot_product_attention] expected q (…,T,D), k and v (…,S,D), got {}, {} and {}",
          query.shape(), key.shape(), value.shape());
    for (const Tensor& other : {key, value}) {
        check(other.dtype() == query.dtype(),
              "[scaled_dot_product_attention] expected equal dtypes, got {} and {}", name(query.dtype()),
              name(other.dtype()));
        check_same_device("scaled_dot_product_attention", query, other);
    }
    const Tensor q = query.contiguous(), k = key.contiguous(), v = value.contiguous();
    const int64_t queries = q.size(-2), keys = k.size(-2), depth = q.size(-1);
    const int64_t batch = Shape(q.shape().begin(), q.shape().end() - 2).numel();
    const Layout of_queries{0, queries * depth, 0, depth}, of_keys{0, keys * depth, 0, depth};
    const Problem problem{{batch, 1, queries, keys, depth, scale_of(options, depth), options.causal},
                          of_queries,
                          of_keys,
                          of_keys,
                          of_queries};
    Tensor y = empty_like(q), statistics;
    forward(problem, q, k, v, y, statistics);
    return record(
        "scaled_dot_product_attention", y, {q, k, v},
        [kept = Kept{problem, Saved(q), Saved(k), Saved(v), Saved(statistics)}](const Backward& g) {
            if (grad_enabled())
                return composed_gradient(kept.problem.shape, kept.q(), kept.k(), kept.v(), g.dy);
            const auto wanted = [&](size_t i, const Tensor& x) {
                return g.needs(i) ? empty_like(x) : Tensor{};
            };
            Tensor dq = wanted(0, kept.q()), dk = wanted(1, kept.k()), dv = wanted(2, kept.v());
            fused_gradient(kept, g.output(), g.dy, dq, dk, dv);
            return Gradients{dq, dk, dv};
        },
        KeepOutput::yes);
}

Tensor self_attention(const Tensor& packed, int64_t heads, AttentionOptions options) {
    check(heads > 0 && packed.rank() == 3 && packed.size(2) % (3 * heads) == 0,
          "[self_attention] expected qkv (N,T,3W), W a multiple of {} heads, got {}", heads, packed.shape());
    const Tensor qkv = packed.contiguous();
    const int64_t batch = qkv.size(0), length = qkv.size(1), width = qkv.size(2) / 3, depth = width / heads;
    const auto piece = [=](int64_t number) {
        return Layout{number * width, length * 3 * width, depth, 3 * width};
    };
    const Problem problem{{batch, heads, length, length, depth, scale_of(options, depth), options.causal},
                          piece(0),
                          piece(1),
                          piece(2),
                          {0, length * width, depth, width}};
    Tensor y = empty({batch, length, width}, qkv.options()), statistics;
    forward(problem, qkv, qkv, qkv, y, statistics);
    return record(
        "self_attention", y, {qkv},
        [kept = Kept{problem, Saved(qkv), Saved(qkv), Saved(qkv), Saved(statistics)}](const Backward& g) {
            const Tensor& x = kept.q();
            if (!grad_enabled()) {
                Tensor dx = empty_like(x);
                fused_gradient(kept, g.output(), g.dy, dx, dx, dx);
                return Gradients{dx};
            }
            const AttentionShape& s = kept.problem.shape;
            const auto by_head = [&](const Tensor& rows, int64_t pieces) {  // (pieces,N,heads,T,D)
                return permute(reshape(rows, {s.batch, s.queries, pieces, s.heads, s.depth}),
                               {2, 0, 3, 1, 4});
            };
            const Tensor all = by_head(x, 3);
            const auto of = [&](int64_t number) { return slice(all, 0, number, number + 1); };
            const Gradients d = composed_gradient(s, of(0), of(1), of(2), by_head(g.dy, 1));
            return Gradients{reshape(permute(cat({d[0], d[1], d[2]}, 0), {1, 3, 0, 2, 4}), x.shape())};
        },
        KeepOutput::yes);
}

}  // namespace lily
