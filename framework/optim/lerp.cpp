// SPDX-License-Identifier: MIT
#include "framework/optim/lerp.h"

#include "framework/autograd.h"
#include "kernels/vector/vector.h"

namespace lily::optim {

void lerp_(const std::vector<Tensor>& x, const std::vector<Tensor>& end, double weight,
           const float* replayed) {
    check(x.size() == end.size(), "[lerp_] expected as many ends as tensors, {}, got {}", x.size(),
          end.size());
    const NoGrad no_grad;
    std::vector<Tensor> from;
    for (size_t i = 0; i < x.size(); ++i) {
        check(x[i].is_leaf(), "[lerp_] only leaves can be changed in place");
        check(x[i].shape() == end[i].shape(), "[lerp_] expected equal shapes, got {} and {}", x[i].shape(),
              end[i].shape());
        for (const Tensor& other : {x[0], end[i]}) {
            check(x[i].dtype() == other.dtype(), "[lerp_] expected equal dtypes, got {} and {}",
                  name(x[i].dtype()), name(other.dtype()));
            check_same_device("lerp_", x[i], other);
        }
        from.push_back(end[i].to(x[i].format()));
    }
    if (x.empty()) return;
    visit_floating("lerp_", x[0].dtype(), [&](auto zero) {
        using T = decltype(zero);
        std::vector<kernels::VectorPair<T>> pairs;
        for (size_t i = 0; i < x.size(); ++i) {
            Tensor to = x[i];
            pairs.push_back({to.numel(), from[i].data<T>(), to.mutable_data<T>()});
        }
        kernels::vector<T>(x[0].device()).lerp(x[0].queue(), {weight, replayed}, pairs);
    });
}

void lerp_(const Tensor& x, const Tensor& end, double weight) {
    lerp_(std::vector{x}, std::vector{end}, weight);
}

}  // namespace lily::optim
