// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "framework/tensor.h"

namespace lily::optim {

// x ← x + weight (end - x) for each x and its end, in place and outside of the graph, in one pass and on a
// GPU in one launch: a step of a running average, such as that of a generator's weights. An x and its end
// have one shape, all of them one dtype and device. `replayed`: where a GPU finds the weight instead
// (each_replay() of framework/capture.h).
void lerp_(const std::vector<Tensor>& x, const std::vector<Tensor>& end, double weight,
           const float* replayed = nullptr);
void lerp_(const Tensor& x, const Tensor& end, double weight);

}  // namespace lily::optim
