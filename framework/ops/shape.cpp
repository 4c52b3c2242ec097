// SPDX-License-Identifier: MIT
#include "framework/ops/shape.h"

#include <algorithm>
#include <numeric>

#include "framework/autograd.h"
#include "framework/ops/blocked.h"
#include "framework/ops/reduce.h"
#include "kernels/copy/copy.h"

namespace lily {
namespace {

using kernels::StridedCopy;

std::vector<int64_t> row_major_strides(const Shape& shape) {
    std::vector<int64_t> stride(static_cast<size_t>(shape.rank()));
    int64_t step = 1;
    for (int64_t d = shape.rank() - 1; d >= 0; --d) {
        stride[static_cast<size_t>(d)] = step;
        step *= shape[d];
    }
    return stride;
}

// y(i) = x(first + Σ iₖ · from_strideₖ) for a new tensor y.
Tensor gather_strided(const char* op, const Tensor& x, const Shape& shape,
                      const std::vector<int64_t>& from_stride, int64_t first = 0) {
    check(shape.rank() <= StridedCopy::kMaxRank, "[{}] at most {} dimensions, got {}", op,
          StridedCopy::kMaxRank, shape);
    const NoGrad no_grad;
    const Tensor source = x.contiguous();
    Tensor y = empty(shape, source.options());
    StridedCopy s;
    s.rank = static_cast<int>(shape.rank());
    const auto to_stride = row_major_strides(shape);
    for (int d = 0; d < s.rank; ++d) {
        s.size[d] = shape[d];
        s.from_stride[d] = from_stride[static_cast<size_t>(d)];
        s.to_stride[d] = to_stride[static_cast<size_t>(d)];
    }
    if (shape.numel() == 0) return y;
    visit_any(x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::copy<T>(x.device()).strided(x.queue(), s, source.data<T>() + first, y.mutable_data<T>());
    });
    return y;
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& wanted) {
    Shape shape = wanted;
    int64_t known = 1, unknown = -1;
    for (int64_t d = 0; d < shape.rank(); ++d) {
        if (shape[d] != -1)
            known *= shape[d];
        else {
            check(unknown < 0, "[reshape] at most one size can be -1, got {}", wanted);
            unknown = d;
        }
    }
    if (unknown >= 0) {
        check(known > 0 && x.numel() % known == 0, "[reshape] {} does not divide into {}", x.shape(), wanted);
        shape[unknown] = x.numel() / known;
    }
    check(shape.numel() == x.numel(), "[reshape] {} has {} elements, {} has {}", x.shape(), x.numel(), wanted,
          shape.numel());
    if (shape == x.shape()) return x;
    const Tensor source = [&] {
        const NoGrad no_grad;
        return x.contiguous();
    }();
    return record("reshape", Tensor(shape, source.options(), source.storage()), {x},
                  [from = x.shape()](const Backward& g) { return Gradients{reshape(g.dy, from)}; });
}

Tensor flatten(const Tensor& x, int64_t start_dim, int64_t end_dim) {
    if (x.rank() == 0) return reshape(x, {1});
    const int64_t first = wrap_dim("flatten", start_dim, x.rank()),
                  last = wrap_dim("flatten", end_dim, x.rank());
    check(first <= last, "[flatten] expected start_dim <= end_dim, got {} and {}", start_dim, end_dim);
    Shape shape;
    int64_t merged = 1;
    for (int64_t d = 0; d < x.rank(); ++d) {
        if (d < first || d > last)
            shape.push_back(x.size(d));
        else
            merged *= x.size(d);
        if (d == last) shape.push_back(merged);
    }
    return reshape(x, shape);
}

Tensor unsqueeze(const Tensor& x, int64_t dim) {
    const int64_t at = wrap_dim("unsqueeze", dim, x.rank() + 1);
    Shape shape;
    for (int64_t d = 0; d <= x.rank(); ++d) {
        if (d == at) shape.push_back(1);
        if (d < x.rank()) shape.push_back(x.size(d));
    }
    return reshape(x, shape);
}

Tensor squeeze(const Tensor& x, int64_t dim) {
    const int64_t at = wrap_dim("squeeze", dim, std::max<int64_t>(1, x.rank()));
    if (x.rank() == 0 || x.size(at) != 1) return x;
    Shape shape;
    for (int64_t d = 0; d < x.rank(); ++d)
        if (d != at) shape.push_back(x.size(d));
    return reshape(x, shape);
}

Tensor expand(const Tensor& x, const Shape& shape) { return expand_to(x, shape, MemoryFormat::contiguous); }

Tensor expand_to(const Tensor& x, const Shape& shape, MemoryFormat wanted) {
    if (x.shape() == shape) return x;
    check(broadcast_shapes("expand", x.shape(), shape) == shape, "[expand] {} does not expand to {}",
          x.shape(), shape);
    const int64_t block = channel_block(wanted);
    const MemoryFormat format = block > 1 ? wanted : MemoryFormat::contiguous;
    const auto run = [&] {
        const NoGrad no_grad;
        const Tensor source = to_broadcast(x, block);
        const Tensor y = gather_strided("expand", memory_of(source), memory_shape(shape, block),
                                        map_strides(source, shape, block));
        return Tensor(shape, {x.dtype(), x.device(), format}, y.storage());
    };
    return record("expand", run(), {x},
                  [from = x.shape()](const Backward& g) { return Gradients{sum_to(g.dy, from)}; });
}

Tensor permute(const Tensor& x, const std::vector<int64_t>& order) {
    check(static_cast<int64_t>(order.size()) == x.rank(), "[permute] expected {} dimensions, got {}",
          x.rank(), order.size());
    const auto own = row_major_strides(x.shape());
    std::vector<int64_t> stride, inverse(order.size(), -1);
    Shape shape;
    for (size_t d = 0; d < order.size(); ++d) {
        const auto from = static_cast<size_t>(wrap_dim("permute", order[d], x.rank()));
        check(inverse[from] < 0, "[permute] dimension {} is named twice", order[d]);
        inverse[from] = static_cast<int64_t>(d);
        shape.push_back(x.shape()[static_cast<int64_t>(from)]);
        stride.push_back(own[from]);
    }
    return record("permute", gather_strided("permute", x, shape, stride), {x},
                  [inverse](const Backward& g) { return Gradients{permute(g.dy, inverse)}; });
}

Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1) {
    std::vector<int64_t> order(static_cast<size_t>(x.rank()));
    std::iota(order.begin(), order.end(), 0);
    std::swap(order[static_cast<size_t>(wrap_dim("transpose", dim0, x.rank()))],
              order[static_cast<size_t>(wrap_dim("transpose", dim1, x.rank()))]);
    return permute(x, order);
}

Tensor flip(const Tensor& x, const std::vector<int64_t>& dims) {
    auto stride = row_major_strides(x.shape());
    std::vector<bool> turned(stride.size(), false);
    int64_t first = 0;
    for (const int64_t wanted : dims) {
        const int64_t dim = wrap_dim("flip", wanted, x.rank());
        const auto at = static_cast<size_t>(dim);
        check(!turned[at], "[flip] dimension {} is named twice", wanted);
        turned[at] = true;
        first += (x.size(dim) - 1) * stride[at];
        stride[at] = -stride[at];
    }
    return record("flip", gather_strided("flip", x, x.shape(), stride, first), {x},
                  [dims](const Backward& g) { return Gradients{flip(g.dy, dims)}; });
}

Tensor Tensor::reshape(const Shape& shape) const { return lily::reshape(*this, shape); }
Tensor Tensor::flatten(int64_t start_dim, int64_t end_dim) const {
    return lily::flatten(*this, start_dim, end_dim);
}
Tensor Tensor::transpose(int64_t dim0, int64_t dim1) const { return lily::transpose(*this, dim0, dim1); }

}  // namespace lily
