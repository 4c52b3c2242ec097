// SPDX-License-Identifier: MIT
#pragma once

#include "framework/distributed/process_group.h"
#include "framework/tensor.h"

namespace lily::distributed {

// The x of all processes one after the other, in the order of their ranks: (n,…) -> (n·processes,…), for
// losses that compare everything with everything. All processes compute the same loss of it; its gradient
// comes back times the number of processes, so that the mean of all processes' gradients is that of the one
// loss.
Tensor all_gather(const Tensor& x, ProcessGroup& group);

}  // namespace lily::distributed
