// SPDX-License-Identifier: MIT
#pragma once

#include "framework/random.h"

namespace lily {

// When training: each element is 0 with probability p, else x / (1 - p); else x itself. Which ones depends on
// the generator's state and on the element's row-major number only.
Tensor dropout(const Tensor& x, Generator& generator, double p = 0.5, bool training = true);

}  // namespace lily
