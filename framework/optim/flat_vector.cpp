// SPDX-License-Identifier: MIT
#include "framework/optim/flat_vector.h"

#include "framework/autograd.h"
#include "framework/capture.h"
#include "framework/ops/arithmetic.h"
#include "kernels/vector/vector.h"

namespace lily::optim {

double dot(const Tensor& x, const Tensor& y) {
    refuse_in_capture("dot", kReadsBack);
    return visit_floating("dot", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        return kernels::vector<T>(x.device()).dot(x.queue(), x.numel(), x.data<T>(), y.data<T>());
    });
}

double abs_sum(const Tensor& x) {
    refuse_in_capture("abs_sum", kReadsBack);
    return visit_floating("abs_sum", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        return kernels::vector<T>(x.device()).abs_sum(x.queue(), x.numel(), x.data<T>());
    });
}

double abs_max(const Tensor& x) {
    refuse_in_capture("abs_max", kReadsBack);
    return visit_floating("abs_max", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        return kernels::vector<T>(x.device()).abs_max(x.queue(), x.numel(), x.data<T>());
    });
}

void axpy_(Tensor& y, double alpha, const Tensor& x) {
    visit_floating("axpy_", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::vector<T>(x.device()).axpy(x.queue(), x.numel(), alpha, x.data<T>(), y.mutable_data<T>());
    });
}

Tensor scaled(double alpha, const Tensor& x) {
    const NoGrad no_grad;
    return x * alpha;
}

Tensor flatten_all(const std::vector<Tensor>& tensors, const std::vector<Tensor>& like) {
    int64_t n = 0;
    for (const Tensor& t : like) n += t.numel();
    Tensor flat = empty({n}, {.dtype = like[0].dtype(), .device = like[0].device()});
    int64_t first = 0;
    for (size_t i = 0; i < tensors.size(); ++i) {
        Tensor place = flat_piece(flat, first, like[i].shape());
        tensors[i].defined() ? place.copy_(tensors[i]) : place.fill_(0);
        first += place.numel();
    }
    return flat;
}

void unflatten_all(const Tensor& flat, const std::vector<Tensor>& tensors) {
    int64_t first = 0;
    for (Tensor t : tensors) {
        const Tensor place = flat_piece(flat, first, t.shape());
        t.copy_(place);
        first += place.numel();
    }
}

}  // namespace lily::optim
