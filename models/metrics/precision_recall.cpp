// SPDX-License-Identifier: MIT
#include "models/metrics/precision_recall.h"

#include <algorithm>

namespace lily::models {
namespace {

// Features by columns, so that one loop over a column adds to all distances.
class Points {
  public:
    explicit Points(const Tensor& features)
        : count(static_cast<size_t>(features.size(0))),
          size(static_cast<size_t>(features.size(1))),
          rows_(features.to_vector<double>()),
          columns_(rows_.size()) {
        for (size_t i = 0; i < count; ++i)
            for (size_t d = 0; d < size; ++d) columns_[d * count + i] = rows_[i * size + d];
    }
    // Squared, from point `i` of `from` to each of these.
    void distances(const Points& from, size_t i, std::vector<double>& squares) const {
        squares.assign(count, 0);
        for (size_t d = 0; d < size; ++d) {
            const double x = from.rows_[i * size + d];
            const double* y = &columns_[d * count];
            for (size_t j = 0; j < count; ++j) squares[j] += (x - y[j]) * (x - y[j]);
        }
    }
    // Squared, of each point to its k-th neighbour.
    std::vector<double> radii(size_t k) const {
        std::vector<double> list, squares;
        for (size_t i = 0; i < count; ++i) {
            distances(*this, i, squares);
            squares.erase(squares.begin() + static_cast<std::ptrdiff_t>(i));  // itself
            const auto kth = squares.begin() + static_cast<std::ptrdiff_t>(k - 1);
            std::nth_element(squares.begin(), kth, squares.end());
            list.push_back(*kth);
        }
        return list;
    }

    const size_t count, size;

  private:
    const std::vector<double> rows_;
    std::vector<double> columns_;
};

// Of `points`, that are within the radius of one of `centres`.
double share_within(const Points& points, const Points& centres, const std::vector<double>& radii) {
    size_t within = 0;
    std::vector<double> squares;
    for (size_t i = 0; i < points.count; ++i) {
        centres.distances(points, i, squares);
        for (size_t j = 0; j < centres.count; ++j)
            if (squares[j] <= radii[j]) {
                ++within;
                break;
            }
    }
    return static_cast<double>(within) / static_cast<double>(points.count);
}

}  // namespace

PrecisionRecall precision_recall(const Tensor& data, const Tensor& samples, int64_t k) {
    check(data.rank() == 2 && samples.rank() == 2 && data.size(1) == samples.size(1),
          "[precision_recall] expected features (N,D) and (M,D), got {} and {}", data.shape(),
          samples.shape());
    check(k >= 1 && data.size(0) > k && samples.size(0) > k,
          "[precision_recall] expected more than k = {} points on both sides, got {} and {}", k, data.size(0),
          samples.size(0));
    const Points real(data), made(samples);
    const auto nearest = static_cast<size_t>(k);
    return {.precision = share_within(made, real, real.radii(nearest)),
            .recall = share_within(real, made, made.radii(nearest))};
}

}  // namespace lily::models
