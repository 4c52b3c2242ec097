// SPDX-License-Identifier: MIT
#pragma once

#include <vector>

#include "framework/tensor.h"

namespace lily::optim {

// Scales all gradients by one factor so that their common Euclidean norm is at most max_norm. Returns the
// norm before, of rank 0 and f64. Where all gradients are on one GPU, so is the norm: three launches, however
// many there are, and nobody waits for them.
Tensor clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm);

// Limits every element of every gradient to [-clip_value, clip_value].
void clip_grad_value_(const std::vector<Tensor>& parameters, double clip_value);

}  // namespace lily::optim
