// SPDX-License-Identifier: MIT
#pragma once

#include "framework/distributed/process_group.h"
#include "framework/tensor.h"

namespace lily::distributed {

// x <- its mean over the processes, in place, while the caller goes on; x is on the CPU.
ProcessGroup::Pending begin_mean(ProcessGroup& group, Tensor x);

// The mean of all processes' x, as an op: for what is computed of a whole batch, of which each process has an
// equal share. With the losses' mean as the loss of all, dL/dx is the mean of all processes' dL/dy.
Tensor all_mean(const Tensor& x, ProcessGroup& group);

}  // namespace lily::distributed
