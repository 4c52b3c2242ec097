// SPDX-License-Identifier: MIT
#include "framework/ops/axis_map.h"

#include <algorithm>
#include <iterator>

#include "framework/autograd.h"
#include "kernels/resample/resample.h"

namespace lily {

void AxisMap::add_output(const std::vector<std::pair<int64_t, double>>& taps) {
    const auto first = index_.size();
    for (const auto& [index, weight] : taps) {
        const auto found =
            std::find(index_.begin() + static_cast<std::ptrdiff_t>(first), index_.end(), index);
        if (found != index_.end()) {
            weight_[static_cast<size_t>(found - index_.begin())] += weight;
        } else if (weight != 0) {
            index_.push_back(index);
            weight_.push_back(weight);
        }
    }
    start_.push_back(static_cast<int64_t>(index_.size()));
}

AxisMap AxisMap::transposed() const {
    AxisMap result(outputs());
    result.start_.assign(static_cast<size_t>(inputs_) + 1, 0);
    for (const int64_t i : index_) ++result.start_[static_cast<size_t>(i) + 1];
    for (size_t i = 1; i < result.start_.size(); ++i) result.start_[i] += result.start_[i - 1];
    result.index_.resize(index_.size());
    result.weight_.resize(weight_.size());
    std::vector<int64_t> next = result.start_;
    for (int64_t j = 0; j < outputs(); ++j)
        for (auto t = static_cast<size_t>(start_[static_cast<size_t>(j)]);
             t < static_cast<size_t>(start_[static_cast<size_t>(j) + 1]); ++t) {
            const auto place = static_cast<size_t>(next[static_cast<size_t>(index_[t])]++);
            result.index_[place] = j;
            result.weight_[place] = weight_[t];
        }
    return result;
}

Tensor map_axis(const Tensor& x, int64_t dim, const std::shared_ptr<const AxisMapPair>& pair,
                bool transposed) {
    const AxisMap& map = transposed ? pair->backward : pair->forward;
    const Tensor source = [&] {
        const NoGrad no_grad;
        return x.contiguous();
    }();
    Shape shape = x.shape();
    kernels::ResampleShape s{1, map.inputs(), map.outputs(), 1};
    for (int64_t d = 0; d < x.rank(); ++d)
        if (d != dim) (d < dim ? s.outer : s.inner) *= shape[d];
    shape[dim] = map.outputs();
    Tensor y = empty(shape, source.options());
    visit_floating("map_axis", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        const auto there = [&](const auto& v) { return from_vector(v, {std::ssize(v)}).to(x.device()); };
        const Tensor start = there(map.start()), index = there(map.index());
        const Tensor weight = there(std::vector<T>(map.weight().begin(), map.weight().end()));
        kernels::resample<T>(x.device())
            .apply(x.queue(), s, start.template data<int64_t>(), index.template data<int64_t>(),
                   weight.template data<T>(), source.data<T>(), y.mutable_data<T>());
    });
    return record("map_axis", y, {x}, [dim, pair, transposed](const Backward& g) {  // y = A x
        return Gradients{map_axis(g.dy, dim, pair, !transposed)};
    });
}

}  // namespace lily
