// SPDX-License-Identifier: MIT
#include "framework/optim/flat_vector.h"

#include <cstring>

#include "framework/autograd.h"
#include "framework/capture.h"
#include "framework/ops/arithmetic.h"
#include "kernels/vector/vector.h"

namespace lily::optim {

double dot(const Tensor& x, const Tensor& y) {
    refuse_in_capture("dot", "read results back; do it after replay()");
    return visit_floating("dot", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        return kernels::vector<T>(x.device()).dot(x.queue(), x.numel(), x.data<T>(), y.data<T>());
    });
}

double abs_sum(const Tensor& x) {
    refuse_in_capture("abs_sum", "read results back; do it after replay()");
    return visit_floating("abs_sum", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        return kernels::vector<T>(x.device()).abs_sum(x.queue(), x.numel(), x.data<T>());
    });
}

double abs_max(const Tensor& x) {
    refuse_in_capture("abs_max", "read results back; do it after replay()");
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

namespace {

// The place of tensor i in the flat vector, as a tensor that shares its memory.
Tensor part(const Tensor& flat, size_t offset, const Shape& shape) {
    const size_t bytes = static_cast<size_t>(shape.numel()) * size_of(flat.dtype());
    auto* memory = static_cast<std::byte*>(flat.storage()->data()) + offset;
    return Tensor(shape, {.dtype = flat.dtype(), .device = flat.device()},
                  std::make_shared<Storage>(flat.device(), memory, bytes, flat.storage()));
}

}  // namespace

Tensor flatten_all(const std::vector<Tensor>& tensors, const std::vector<Tensor>& like) {
    int64_t n = 0;
    for (const Tensor& t : like) n += t.numel();
    Tensor flat = empty({n}, {.dtype = like[0].dtype(), .device = like[0].device()});
    size_t offset = 0;
    for (size_t i = 0; i < tensors.size(); ++i) {
        Tensor place = part(flat, offset, like[i].shape());
        tensors[i].defined() ? place.copy_(tensors[i]) : place.fill_(0);
        offset += place.nbytes();
    }
    return flat;
}

void unflatten_all(const Tensor& flat, const std::vector<Tensor>& tensors) {
    size_t offset = 0;
    for (Tensor t : tensors) {
        const Tensor place = part(flat, offset, t.shape());
        t.copy_(place);
        offset += place.nbytes();
    }
}

}  // namespace lily::optim
