// SPDX-License-Identifier: MIT
#pragma once

#include "framework/distributed/process_group.h"
#include "framework/tensor.h"

namespace lily::distributed {

// This process's rows of a tensor of all processes' rows, dealt as data::LoaderOptions deals samples: of each
// of `parts` equal parts its share, in the order of the ranks.
Tensor own_share(const Tensor& of_all, const ProcessGroup& group, int64_t parts = 1);

}  // namespace lily::distributed
