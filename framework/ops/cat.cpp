// SPDX-License-Identifier: MIT
#include "framework/ops/cat.h"

#include <algorithm>

#include "framework/autograd.h"
#include "framework/ops/blocked.h"
#include "framework/ops/region.h"
#include "framework/ops/shape.h"
#include "framework/ops/slice.h"

namespace lily {

Tensor cat(const std::vector<Tensor>& xs, int64_t wanted) {
    check(!xs.empty(), "[cat] expected at least one tensor");
    const Tensor& first = xs[0];
    check(first.rank() > 0, "[cat] scalars cannot be joined; use reshape(x, {{1}})");
    const int64_t dim = wrap_dim("cat", wanted, first.rank());
    Shape shape = first.shape();
    shape[dim] = 0;
    std::vector<int64_t> begin;  // of each x in the result
    for (const Tensor& x : xs) {
        check(x.dtype() == first.dtype(), "[cat] expected equal dtypes, got {} and {}", name(first.dtype()),
              name(x.dtype()));
        check_same_device("cat", first, x);
        Shape other = x.shape();
        if (other.rank() == first.rank()) other[dim] = first.size(dim);
        check(other == first.shape(), "[cat] shapes {} and {} differ in more than dimension {}",
              first.shape(), x.shape(), dim);
        begin.push_back(shape[dim]);
        shape[dim] += x.size(dim);
    }
    const auto as_first = [&](const Tensor& x) { return x.format() == first.format(); };
    const bool blocked = is_blocked(first) && std::all_of(xs.begin(), xs.end(), as_first);  // in whole blocks
    Tensor y =
        empty(shape, {first.dtype(), first.device(), blocked ? first.format() : MemoryFormat::contiguous});
    for (size_t i = 0; i < xs.size(); ++i) copy_into_region(xs[i], whole(shape, dim, begin[i]), y);
    begin.push_back(shape[dim]);
    return record("cat", y, xs, [dim, begin](const Backward& g) {
        Gradients dxs(begin.size() - 1);
        for (size_t i = 0; i < dxs.size(); ++i)
            if (g.needs(i)) dxs[i] = slice(g.dy, dim, begin[i], begin[i + 1]);
        return dxs;
    });
}

Tensor stack(const std::vector<Tensor>& xs, int64_t dim) {
    check(!xs.empty(), "[stack] expected at least one tensor");
    const int64_t at = wrap_dim("stack", dim, xs[0].rank() + 1);
    std::vector<Tensor> rows;
    for (const Tensor& x : xs) {
        check(x.shape() == xs[0].shape(), "[stack] expected equal shapes, got {} and {}", xs[0].shape(),
              x.shape());
        rows.push_back(unsqueeze(x, at));
    }
    return cat(rows, at);
}

}  // namespace lily
