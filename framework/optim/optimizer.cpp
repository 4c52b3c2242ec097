// SPDX-License-Identifier: MIT
#include "framework/optim/optimizer.h"

#include "framework/autograd.h"

namespace lily::optim {

Optimizer::Optimizer(const char* name, std::vector<Tensor> parameters, double lr)
    : name_(name), parameters_(std::move(parameters)), lr_(0) {
    check(!parameters_.empty(), "[{}] expected at least one parameter", name_);
    for (size_t i = 0; i < parameters_.size(); ++i) {
        const Tensor& p = parameters_[i];
        check(p.defined(), "[{}] parameter {} is undefined", name_, i);
        check(is_floating(p.dtype()), "[{}] parameter {} is {}, expected f32 or f64", name_, i,
              lily::name(p.dtype()));
        check(p.is_leaf(), "[{}] parameter {} of shape {} is the result of an op: pass the leaf, or detach()",
              name_, i, p.shape());
        for (size_t j = 0; j < i; ++j)
            check(p.storage() != parameters_[j].storage(), "[{}] parameters {} and {} share memory", name_, j,
                  i);
    }
    set_lr(lr);
}

void Optimizer::zero_grad() {
    for (Tensor& p : parameters_)
        if (p.grad().defined()) p.set_grad({});
}

double Optimizer::step(const Closure& closure) {
    const double loss = closure();
    step();
    return loss;
}

void Optimizer::set_lr(double lr) {
    check(lr >= 0, "[{}] expected lr >= 0, got {}", name_, lr);
    lr_ = lr;
}

Tensor Optimizer::gradient(size_t i) const {
    const NoGrad no_grad;
    const Tensor& p = parameters_[i];
    const Tensor g = p.grad();
    return g.defined() ? g.to(p.format()) : g;
}

}  // namespace lily::optim
