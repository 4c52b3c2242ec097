// SPDX-License-Identifier: MIT
#include "framework/optim/lerp.h"

#include "framework/autograd.h"
#include "kernels/vector/vector.h"

namespace lily::optim {

void lerp_(Tensor& x, const Tensor& end, double weight) {
    check(x.is_leaf(), "[lerp_] only leaves can be changed in place");
    check(x.shape() == end.shape(), "[lerp_] expected equal shapes, got {} and {}", x.shape(), end.shape());
    check(x.dtype() == end.dtype(), "[lerp_] expected equal dtypes, got {} and {}", name(x.dtype()),
          name(end.dtype()));
    check_same_device("lerp_", x, end);
    const NoGrad no_grad;
    const Tensor from = end.to(x.format());
    visit_floating("lerp_", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::vector<T>(x.device())
            .lerp(x.queue(), x.numel(), weight, from.data<T>(), x.mutable_data<T>());
    });
}

}  // namespace lily::optim
