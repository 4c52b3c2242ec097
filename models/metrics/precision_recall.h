// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily::models {

struct PrecisionRecall {
    double precision = 0;  // share of the samples among the data: how good they are
    double recall = 0;     // share of the data among the samples: how much of their variety there is
};

// Of features (N,D) of the data and (M,D) of samples (Kynkäänniemi et al. 2019): a point is among others if
// it is as near to one of them as that one's k-th neighbour. Distances in f64, the same for any order.
PrecisionRecall precision_recall(const Tensor& data, const Tensor& samples, int64_t k = 3);

}  // namespace lily::models
