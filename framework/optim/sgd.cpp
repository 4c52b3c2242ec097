// SPDX-License-Identifier: MIT
#include "framework/optim/sgd.h"

#include "framework/autograd.h"
#include "framework/capture.h"
#include "framework/optim/state_reader.h"
#include "kernels/sgd/sgd.h"

namespace lily::optim {

SGD::SGD(const std::vector<Tensor>& parameters, SGDOptions options)
    : Optimizer("SGD", parameters, options.lr, options.weight_decay),
      options_(options),
      momentum_(parameters.size()) {
    check(options.momentum >= 0, "[SGD] expected momentum >= 0, got {}", options.momentum);
    check(!options.nesterov || (options.momentum > 0 && options.dampening == 0),
          "[SGD] nesterov needs momentum > 0 and dampening = 0, got {} and {}", options.momentum,
          options.dampening);
}

void SGD::add_param_group(const ParamGroup& group) {
    Optimizer::add_param_group(group);
    momentum_.resize(parameters().size());
}

// All parameters of a group and of dtype T in one call of the kernel.
template <class T>
void SGD::update(const Group& group, std::vector<Pending>& pending, const float* replayed_lr) {
    std::vector<kernels::SgdParameter<T>> list;
    for (Pending& next : pending) {
        Tensor p = parameters()[next.parameter];
        if (next.parameter < group.begin || next.parameter >= group.end || p.dtype() != dtype_of<T>())
            continue;
        T* const b = next.momentum.defined() ? next.momentum.mutable_data<T>() : nullptr;
        list.push_back({p.numel(), p.mutable_data<T>(), b, next.gradient.data<T>(), next.is_first});
    }
    if (list.empty()) return;
    const Tensor& first = parameters()[0];
    kernels::sgd<T>(first.device())
        .update(first.queue(),
                {.lr = group.rate(),
                 .momentum = options_.momentum,
                 .dampening = options_.dampening,
                 .weight_decay = group.weight_decay,
                 .nesterov = options_.nesterov,
                 .replayed_lr = replayed_lr},
                list);
}

void SGD::step() {
    std::vector<Pending> pending;
    for (size_t i = 0; i < momentum_.size(); ++i) {  // all that can fail, before anything is changed
        const Tensor p = parameters()[i], g = gradient(i);
        if (!g.defined()) continue;
        check_same_device(name(), parameters()[0], p);  // one launch for all
        Tensor b = momentum_[i];
        const bool is_first = options_.momentum != 0 && !b.defined();
        if (is_first) {
            const OutsideOfCapture outside(name());
            b = empty_like(p);
        }
        if (b.defined()) check_same_device(name(), p, b);
        pending.push_back({i, g, b, is_first});
    }
    const float* replayed = each_replay<float>(groups().size(), [this, had = momentum_](float* to) {
        for (size_t i = 0; i < had.size(); ++i)
            check(!had[i].defined() || momentum_[i].defined(),
                  "[SGD] a captured step cannot go on from a state without momentum; capture it anew");
        for (const Group& group : groups()) *to++ = static_cast<float>(group.rate());
    });
    for (const Group& group : groups()) {
        update<float>(group, pending, replayed);
        update<double>(group, pending, replayed);
        if (replayed) ++replayed;
    }
    for (Pending& p : pending) momentum_[p.parameter] = std::move(p.momentum);
}

StateDict SGD::state_dict() const {
    StateDict state;
    put_lr(state);
    for (size_t i = 0; i < momentum_.size(); ++i)
        if (momentum_[i].defined()) state[fmt::format("{}.momentum_buffer", i)] = momentum_[i];
    return state;
}

void SGD::load_state_dict(const StateDict& state) {
    StateReader reader(name(), state);
    const std::vector<double> rates = read_lr(reader);
    std::vector<Tensor> loaded(momentum_.size());
    for (size_t i = 0; i < loaded.size(); ++i)
        if (const std::string key = fmt::format("{}.momentum_buffer", i); reader.has(key))
            loaded[i] = reader.tensor(key, parameters()[i]);
    reader.finish();
    set_lr(rates);
    for (size_t i = 0; i < loaded.size(); ++i)
        if (momentum_[i].defined() && loaded[i].defined())
            momentum_[i].copy_(loaded[i]);  // a captured step has it there
        else
            momentum_[i] = loaded[i];
}

}  // namespace lily::optim
