// SPDX-License-Identifier: MIT
#include "framework/ops/axis_map.h"

#include <algorithm>
#include <iterator>

#include "framework/autograd.h"
#include "framework/capture.h"
#include "framework/ops/blocked.h"
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

const AxisMapTables& AxisMapPair::tables(bool transposed, Device device, DType dtype) const {
    const std::lock_guard lock(mutex_);
    AxisMapTables& found = tables_[{transposed, device, dtype}];
    if (found.start.defined()) return found;
    const OutsideOfCapture outside("map_axis");
    const NoGrad no_grad;
    const AxisMap& map = transposed ? backward : forward;
    const auto there = [&](const auto& v) { return from_vector(v, {std::ssize(v)}).to(device); };
    found = {there(map.start()), there(map.index()), there(map.weight()).to(dtype)};
    return found;
}

std::shared_ptr<const AxisMapPair> kept_map(const AxisMapKey& key, const std::function<AxisMap()>& make) {
    constexpr size_t kMost = 256;  // a program that resizes to ever new sizes starts afresh now and then
    static std::mutex mutex;
    // never destroyed: its tables may be a GPU's, which is gone by then
    static auto& pairs = *new std::map<AxisMapKey, std::shared_ptr<const AxisMapPair>>;
    const std::lock_guard lock(mutex);
    if (const auto found = pairs.find(key); found != pairs.end()) return found->second;
    if (pairs.size() == kMost) pairs.clear();
    return pairs[key] = std::make_shared<const AxisMapPair>(make());
}

Tensor map_axis(const Tensor& x, int64_t dim, const std::shared_ptr<const AxisMapPair>& pair,
                bool transposed) {
    const AxisMap& map = transposed ? pair->backward : pair->forward;
    const Tensor source = [&] {
        const NoGrad no_grad;
        return dim == 1 ? x.contiguous() : blocked_or_contiguous(x);
    }();
    Shape shape = x.shape();
    const Shape sizes = memory_shape(source);
    kernels::ResampleShape s{1, map.inputs(), map.outputs(), 1};
    for (int64_t d = 0; d < sizes.rank(); ++d)
        if (d != dim) (d < dim ? s.outer : s.inner) *= sizes[d];
    shape[dim] = map.outputs();
    Tensor y = empty(shape, source.options());
    visit_floating("map_axis", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        const AxisMapTables& tables = pair->tables(transposed, x.device(), x.dtype());
        keep_in_capture(pair);
        kernels::resample<T>(x.device())
            .apply(x.queue(), s, tables.start.data<int64_t>(), tables.index.data<int64_t>(),
                   tables.weight.data<T>(), source.data<T>(), y.mutable_data<T>());
    });
    return record("map_axis", y, {x}, [dim, pair, transposed](const Backward& g) {  // y = A x
        return Gradients{map_axis(g.dy, dim, pair, !transposed)};
    });
}

}  // namespace lily
