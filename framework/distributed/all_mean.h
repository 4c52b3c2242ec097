// SPDX-License-Identifier: MIT
#pragma once

#include "framework/distributed/process_group.h"
#include "framework/tensor.h"

namespace lily::distributed {

// x <- factor times its sum over the processes, or its mean, in place, while the caller goes on; x is on the
// CPU.
ProcessGroup::Pending begin_sum(ProcessGroup& group, Tensor x, double factor);
inline ProcessGroup::Pending begin_mean(ProcessGroup& group, const Tensor& x) {
    return begin_sum(group, x, 1.0 / static_cast<double>(group.size()));
}

// The mean of all processes' x, as an op: for what is computed of a whole batch, of which each process has an
// equal share. With the losses' mean as the loss of all, dL/dx is the mean of all processes' dL/dy.
Tensor all_mean(const Tensor& x, ProcessGroup& group);

}  // namespace lily::distributed
