// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "framework/tensor.h"

namespace lily::optim {

// Vectors of rank 1, all of one dtype; nothing is recorded.
double dot(const Tensor& x, const Tensor& y);  // accumulated in double
double abs_sum(const Tensor& x);
double abs_max(const Tensor& x);                       // NaN if one element is
void axpy_(Tensor& y, double alpha, const Tensor& x);  // y ← y + α x
Tensor scaled(double alpha, const Tensor& x);          // α x

// All tensors, row-major, one behind the other in one vector. Undefined ones count as zeros of the shape of
// `like`.
Tensor flatten_all(const std::vector<Tensor>& tensors, const std::vector<Tensor>& like);
// The inverse, into the memory of `tensors`.
void unflatten_all(const Tensor& flat, const std::vector<Tensor>& tensors);

}  // namespace lily::optim
