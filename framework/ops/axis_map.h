// SPDX-License-Identifier: MIT
// What interpolate and pad share: a sparse linear map along one dimension (kernels/resample).
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>
#include <vector>

#include "framework/tensor.h"

namespace lily {

// Output j is Σ_t weight[t] · input[index[t]] for t in [start[j], start[j+1]).
class AxisMap {
  public:
    explicit AxisMap(int64_t inputs) : inputs_(inputs) {}

    // The next output's taps. Taps at one input add up; zero weights are dropped, so 0 · inf is no NaN.
    void add_output(const std::vector<std::pair<int64_t, double>>& taps);

    int64_t inputs() const { return inputs_; }
    int64_t outputs() const { return static_cast<int64_t>(start_.size()) - 1; }
    const std::vector<int64_t>& start() const { return start_; }
    const std::vector<int64_t>& index() const { return index_; }
    const std::vector<double>& weight() const { return weight_; }

    AxisMap transposed() const;

  private:
    int64_t inputs_;
    std::vector<int64_t> start_{0}, index_;
    std::vector<double> weight_;
};

// A map's arrays in a device's memory, weights of one dtype.
struct AxisMapTables {
    Tensor start, index, weight;
};

// A map and its transpose: each is the gradient of the other.
class AxisMapPair {
  public:
    explicit AxisMapPair(AxisMap map) : forward(std::move(map)), backward(forward.transposed()) {}
    const AxisMap forward, backward;

    // Of forward or backward; made when first asked for.
    const AxisMapTables& tables(bool transposed, Device device, DType dtype) const;

  private:
    mutable std::mutex mutex_;
    mutable std::map<std::tuple<bool, Device, DType>, AxisMapTables> tables_;
};

// The pair that `key` names, whose first number is the op's own: made when first asked for, and kept with its
// tables, so that a loop makes and uploads nothing.
using AxisMapKey = std::array<int64_t, 5>;
std::shared_ptr<const AxisMapPair> kept_map(const AxisMapKey& key, const std::function<AxisMap()>& make);

// x with dimension `dim` mapped; differentiable any number of times.
Tensor map_axis(const Tensor& x, int64_t dim, const std::shared_ptr<const AxisMapPair>& map,
                bool transposed = false);

}  // namespace lily
