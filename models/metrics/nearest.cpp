// SPDX-License-Identifier: MIT
#include "models/metrics/nearest.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/autograd.h"
#include "framework/data/loader.h"
#include "framework/ops.h"

namespace lily::models {

namespace {
constexpr int64_t kPiece = 4096;  // pictures of the data at once
}

std::vector<Nearest> nearest_pictures(const Tensor& pictures, const data::Dataset& set,
                                      const std::vector<int64_t>& exclude) {
    const NoGrad no_grad;
    check(pictures.rank() == 2 && pictures.size(1) == set.picture_size(),
          "[nearest_pictures] expected (N,{}), got {}", set.picture_size(), pictures.shape());
    const int64_t n = pictures.size(0);
    check(exclude.empty() || static_cast<int64_t>(exclude.size()) == n,
          "[nearest_pictures] expected {} pictures to exclude, got {}", n, exclude.size());
    std::vector<Nearest> nearest(static_cast<size_t>(n), {std::numeric_limits<double>::infinity(), -1});
    const Tensor own = sum(square(pictures), {1}, true);  // |a - b|² = |a|² + |b|² - 2 ab
    for (int64_t begin = 0; begin < set.count; begin += kPiece) {
        const Tensor others = data::to_pixels(set, begin, std::min(begin + kPiece, set.count));
        const int64_t m = others.size(0);
        const Tensor squares = own + sum(square(others), {1}).reshape({1, m}) -
                               2.0 * matmul(pictures, Transposed::no, others, Transposed::yes);
        const float* row = squares.data<float>();
        for (size_t i = 0; i < nearest.size(); ++i, row += m)
            for (int64_t k = 0; k < m; ++k) {
                const double distance = std::max(row[k], 0.0f);
                if (distance < nearest[i].distance && (exclude.empty() || exclude[i] != begin + k))
                    nearest[i] = {distance, begin + k};
            }
    }
    for (Nearest& found : nearest) found.distance = std::sqrt(found.distance);
    return nearest;
}

}  // namespace lily::models
