// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "framework/data/dataset.h"
#include "framework/tensor.h"

namespace lily::models {

struct Nearest {
    double distance = 0;  // Euclidean, of pixels in [-1,1]
    int64_t index = -1;   // in the data
};

// What is nearest to each of (N,pixels) in the data. `exclude` (empty or N): a picture of the data that does
// not count, such as itself.
std::vector<Nearest> nearest_pictures(const Tensor& pictures, const data::Dataset& set,
                                      const std::vector<int64_t>& exclude = {});

}  // namespace lily::models
