// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// -mean over the rows of ln p(label), p = softmax(logits). logits (N,classes), labels (N) i64 on any device.
Tensor cross_entropy(const Tensor& logits, const Tensor& labels);

}  // namespace lily
