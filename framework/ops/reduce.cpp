// SPDX-License-Identifier: MIT
#include "framework/ops/reduce.h"

#include <algorithm>
#include <numeric>

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/blocked.h"
#include "framework/ops/shape.h"
#include "kernels/reduce/reduce.h"

namespace lily {
namespace {

// Sorted, non-negative, without duplicates; as in PyTorch none are all, and a scalar has a dimension to name.
Dims normalised(const char* op, const Dims& dims, int64_t rank) {
    Dims result;
    for (const int64_t dim : dims) result.push_back(wrap_dim(op, dim, std::max<int64_t>(1, rank)));
    std::sort(result.begin(), result.end());
    check(std::adjacent_find(result.begin(), result.end()) == result.end(), "[{}] a dimension is named twice",
          op);
    if (dims.empty() || rank == 0) {
        result.resize(static_cast<size_t>(rank));
        std::iota(result.begin(), result.end(), 0);
    }
    return result;
}

Shape with_ones(const Shape& shape, const Dims& dims) {
    Shape result = shape;
    for (const int64_t dim : dims) result[dim] = 1;
    return result;
}

Shape without(const Shape& shape, const Dims& dims) {
    Shape result;
    for (int64_t d = 0; d < shape.rank(); ++d)
        if (!std::binary_search(dims.begin(), dims.end(), d)) result.push_back(shape[d]);
    return result;
}

// Applies `step(ReduceShape, x, y)` to each run of neighbouring dimensions, last run first; result with
// sizes 1.
template <class Step>
Tensor reduce_runs(Tensor x, const Dims& dims, const Step& step) {
    for (size_t last = dims.size(); last > 0;) {
        size_t first = last - 1;
        while (first > 0 && dims[first - 1] == dims[first] - 1) --first;
        const auto product = [&](int64_t from, int64_t to) {
            int64_t n = 1;
            for (int64_t d = from; d < to; ++d) n *= x.shape()[d];
            return n;
        };
        const kernels::ReduceShape s{product(0, dims[first]), product(dims[first], dims[last - 1] + 1),
                                     product(dims[last - 1] + 1, x.rank())};
        Tensor y = empty(with_ones(x.shape(), Dims(dims.begin() + static_cast<long>(first),
                                                   dims.begin() + static_cast<long>(last))),
                         {.dtype = x.dtype(), .device = x.device()});
        step(s, x, y);
        x = y;
        last = first;
    }
    return x;
}

bool covers_all(const Tensor& x, const Dims& dims) { return static_cast<int64_t>(dims.size()) == x.rank(); }

// y = Σ x, without its graph
Tensor sum_of(const Tensor& x, const Dims& dims, bool keepdim) {
    const NoGrad no_grad;
    const bool any_order = covers_all(x, dims), blocked = is_blocked(x) && !any_order;
    const Tensor source = any_order ? x : blocked ? memory_of(x) : x.contiguous();
    Dims of_memory = dims;
    const bool over_channels = std::binary_search(dims.begin(), dims.end(), 1);
    if (blocked && over_channels) of_memory.push_back(4);
    Tensor kept = reduce_runs(source, of_memory, [](kernels::ReduceShape s, const Tensor& from, Tensor& to) {
        visit_floating("sum", from.dtype(), [&](auto zero) {
            using T = decltype(zero);
            kernels::reduce<T>(from.device()).sum(from.queue(), s, from.data<T>(), to.mutable_data<T>());
        });
    });
    if (blocked) {  // what has one position is contiguous too
        const Shape shape = with_ones(x.shape(), dims);
        TensorOptions options = kept.options();
        if (!over_channels && shape[2] * shape[3] > 1) options.format = x.format();
        kept = Tensor(shape, options, kept.storage());
        if (!keepdim) kept = kept.contiguous();
    }
    return Tensor(keepdim ? kept.shape() : without(x.shape(), dims), kept.options(), kept.storage());
}

}  // namespace

Tensor sum(const Tensor& x, const Dims& unsorted, bool keepdim) {
    const Dims dims = normalised("sum", unsorted, x.rank());
    if (x.rank() == 0) return x;
    return record("sum", sum_of(x, dims, keepdim), {x},
                  [shape = x.shape(), kept = with_ones(x.shape(), dims),
                   format = x.format()](const Backward& g) {  // y = Σ x
                      return Gradients{expand_to(g.dy.reshape(kept), shape, format)};
                  });
}

Tensor sum(const Tensor& x) { return sum(x, {}); }

Tensor mean(const Tensor& x, const Dims& dims, bool keepdim) {
    const Tensor total = sum(x, dims, keepdim);
    const double count =
        static_cast<double>(x.numel()) / static_cast<double>(std::max<int64_t>(1, total.numel()));
    return total / count;
}
Tensor mean(const Tensor& x) { return mean(x, {}); }

Tensor amax(const Tensor& x, const Dims& unsorted, bool keepdim) {
    const Dims dims = normalised("amax", unsorted, x.rank());
    if (x.rank() == 0) return x;
    for (const int64_t dim : dims)
        check(x.size(dim) > 0, "[amax] dimension {} of {} is empty", dim, x.shape());
    const Tensor source = x.detach().contiguous();
    const Tensor kept = reduce_runs(source, dims, [](kernels::ReduceShape s, const Tensor& from, Tensor& to) {
        visit_floating("amax", from.dtype(), [&](auto zero) {
            using T = decltype(zero);
            kernels::reduce<T>(from.device()).max(from.queue(), s, from.data<T>(), to.mutable_data<T>());
        });
    });
    Tensor y(keepdim ? kept.shape() : without(x.shape(), dims), kept.options(), kept.storage());
    return record("amax", y, {x},
                  [x = Saved(source), kept = Saved(kept), dims](const Backward& g) {  // y = max x
                      const Tensor wins = eq(x(), kept());
                      const Tensor share = div(wins, sum(wins, dims, true));
                      return Gradients{share * g.dy.reshape(kept().shape())};
                  });
}

Tensor argmax(const Tensor& x, int64_t dim, bool keepdim) {
    const Dims dims = normalised("argmax", {dim}, x.rank());
    check(x.size(dims[0]) > 0, "[argmax] dimension {} of {} is empty", dim, x.shape());
    const Tensor source = x.detach().contiguous();
    kernels::ReduceShape s{1, x.size(dims[0]), 1};
    for (int64_t d = 0; d < x.rank(); ++d) (d < dims[0] ? s.outer : s.inner) *= d == dims[0] ? 1 : x.size(d);
    Tensor index = empty(keepdim ? with_ones(x.shape(), dims) : without(x.shape(), dims),
                         {.dtype = DType::i64, .device = x.device()});
    visit_floating("argmax", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::reduce<T>(x.device()).argmax(x.queue(), s, source.data<T>(), index.mutable_data<int64_t>());
    });
    return index;
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
    if (x.shape() == shape) return x;
    Dims dims;
    const int64_t offset = x.rank() - shape.rank();
    for (int64_t d = 0; d < x.rank(); ++d)
        if (d < offset || (shape[d - offset] == 1 && x.size(d) != 1)) dims.push_back(d);
    return sum(x, dims, true).reshape(shape);
}

Tensor Tensor::sum() const { return lily::sum(*this); }
Tensor Tensor::mean() const { return lily::mean(*this); }

}  // namespace lily
