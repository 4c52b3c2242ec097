// SPDX-License-Identifier: MIT
#include "framework/distributed/all_mean.h"

#include "framework/autograd.h"

namespace lily::distributed {

ProcessGroup::Pending begin_sum(ProcessGroup& group, Tensor x, double factor) {
    if (group.is_alone()) return {};
    check(x.device() == Device::cpu, "[distributed] expected a tensor on the CPU, got {}", name(x.device()));
    return visit_floating("begin_sum", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        return group.begin_sum(std::span(x.mutable_data<T>(), static_cast<size_t>(x.numel())), factor);
    });
}

Tensor all_mean(const Tensor& x, ProcessGroup& group) {
    if (group.is_alone()) return x;
    Tensor y = x.detach().clone();
    begin_mean(group, y).wait();
    return record("all_mean", y, {x}, [&group](const Backward& g) {
        return Gradients{all_mean(g.dy, group)};  // y = 1/R Σ x_r, L = 1/R Σ L_r
    });
}

}  // namespace lily::distributed
