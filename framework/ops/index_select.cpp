// SPDX-License-Identifier: MIT
#include "framework/ops/index_select.h"

#include <numeric>

#include "framework/ops/embedding.h"
#include "framework/ops/shape.h"

namespace lily {

// Slices are rows of a table once `dim` is the first dimension.
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index) {
    const int64_t at = wrap_dim("index_select", dim, x.rank());
    check(index.rank() == 1, "[index_select] expected a vector of indices, got {}", index.shape());
    std::vector<int64_t> order(static_cast<size_t>(x.rank()));  // `dim` and the first dimension swapped
    std::iota(order.begin(), order.end(), 0);
    std::swap(order[0], order[static_cast<size_t>(at)]);
    const Tensor first = at == 0 ? x : permute(x, order);
    Shape shape = first.shape();
    const int64_t rows = shape[0], width = Shape(shape.begin() + 1, shape.end()).numel();
    shape[0] = index.numel();
    const Tensor y = reshape(embedding(index, reshape(first, {rows, width})), shape);
    return at == 0 ? y : permute(y, order);
}

}  // namespace lily
