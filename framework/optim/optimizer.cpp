// SPDX-License-Identifier: MIT
#include "framework/optim/optimizer.h"

#include <unordered_map>

#include "framework/autograd.h"
#include "framework/capture.h"
#include "framework/optim/state_reader.h"

namespace lily::optim {

Optimizer::Optimizer(const char* name, const std::vector<Tensor>& parameters, double lr, double weight_decay)
    : name_(name), default_lr_(lr), default_weight_decay_(weight_decay) {
    Optimizer::add_param_group({.params = parameters});
}

void Optimizer::add_param_group(const ParamGroup& group) {
    const std::vector<Tensor>& added = group.params;
    const double lr = group.lr.value_or(default_lr_);
    const double weight_decay = group.weight_decay.value_or(default_weight_decay_);
    check(!added.empty(), "[{}] expected at least one parameter", name_);
    check(lr >= 0, "[{}] expected lr >= 0, got {}", name_, lr);
    check(weight_decay >= 0, "[{}] expected weight_decay >= 0, got {}", name_, weight_decay);
    check(group.lr_multiplier >= 0, "[{}] expected lr_multiplier >= 0, got {}", name_, group.lr_multiplier);
    std::unordered_map<const Storage*, size_t> owners;
    for (size_t i = 0; i < parameters_.size(); ++i) owners.emplace(parameters_[i].storage().get(), i);
    for (size_t i = parameters_.size(); const Tensor& p : added) {
        check(p.defined(), "[{}] parameter {} is undefined", name_, i);
        check(is_floating(p.dtype()), "[{}] parameter {} is {}, expected f32 or f64", name_, i,
              lily::name(p.dtype()));
        check(p.is_leaf(), "[{}] parameter {} of shape {} is the result of an op: pass the leaf, or detach()",
              name_, i, p.shape());
        const auto [owner, is_first] = owners.emplace(p.storage().get(), i);
        check(is_first, "[{}] parameters {} and {} share memory", name_, owner->second, i);
        ++i;
    }
    const size_t begin = parameters_.size();
    parameters_.insert(parameters_.end(), added.begin(), added.end());
    groups_.push_back({begin, parameters_.size(), lr, group.lr_multiplier, weight_decay});
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
    for (size_t g = 0; g < groups_.size(); ++g) set_lr(g, lr);
}

void Optimizer::set_lr(size_t group, double lr) {
    check(group < groups_.size(), "[{}] expected one of {} groups, got {}", name_, groups_.size(), group);
    check(lr >= 0, "[{}] expected lr >= 0, got {}", name_, lr);
    refuse_in_capture(name_, "change a learning rate; do it before replay()");
    groups_[group].lr = lr;
}

double Optimizer::initial_lr(size_t group) {
    Group& g = groups_.at(group);
    if (!g.initial_lr) g.initial_lr = g.lr;
    return *g.initial_lr;
}

void Optimizer::put_lr(StateDict& state) const {
    std::vector<double> lr;
    std::vector<int64_t> sizes;
    for (const Group& g : groups_) {
        lr.push_back(g.lr);
        sizes.push_back(static_cast<int64_t>(g.end - g.begin));
    }
    const Shape shape{static_cast<int64_t>(groups_.size())};
    state["lr"] = from_vector(lr, shape);
    if (groups_.size() > 1) state["group_sizes"] = from_vector(sizes, shape);
}

std::vector<double> Optimizer::read_lr(StateReader& reader) const {
    std::vector<double> lr = reader.numbers("lr");
    check(lr.size() == groups_.size(), "[{}] the state has {} parameter groups, expected {}", name_,
          lr.size(), groups_.size());
    for (const double rate : lr) check(rate >= 0, "[{}] expected lr >= 0, got {}", name_, rate);
    if (groups_.size() == 1) return lr;
    const std::vector<int64_t> sizes = reader.integers("group_sizes");
    for (size_t i = 0; i < groups_.size(); ++i) {
        const auto size = static_cast<int64_t>(groups_[i].end - groups_[i].begin);
        check(sizes.size() == groups_.size() && sizes[i] == size,
              "[{}] the state has other parameters in group {}, expected {}", name_, i, size);
    }
    return lr;
}

void Optimizer::set_lr(const std::vector<double>& lr) {
    for (size_t i = 0; i < groups_.size(); ++i) set_lr(i, lr[i]);
}

const Optimizer::Group& Optimizer::group_of(size_t parameter) const {
    size_t g = 0;
    while (parameter >= groups_[g].end) ++g;
    return groups_[g];
}

void Optimizer::load_in_place(Tensor& state, const Tensor& loaded) {
    if (!state.defined())
        state = loaded;
    else if (loaded.defined())
        state.copy_(loaded);
    else
        state.fill_(0);
}

Tensor Optimizer::gradient(size_t i) const {
    const NoGrad no_grad;
    const Tensor& p = parameters_[i];
    const Tensor g = p.grad();
    return g.defined() ? g.to(p.format()) : g;
}

}  // namespace lily::optim
