// SPDX-License-Identifier: MIT
#include "framework/optim/sgd.h"

#include "framework/autograd.h"
#include "framework/capture.h"
#include "framework/ops/arithmetic.h"
#include "framework/optim/state_reader.h"

namespace lily::optim {

SGD::SGD(std::vector<Tensor> parameters, SGDOptions options)
    : Optimizer("SGD", std::move(parameters), options.lr),
      options_(options),
      momentum_(this->parameters().size()) {
    check(options.momentum >= 0, "[SGD] expected momentum >= 0, got {}", options.momentum);
    check(options.weight_decay >= 0, "[SGD] expected weight_decay >= 0, got {}", options.weight_decay);
    check(!options.nesterov || (options.momentum > 0 && options.dampening == 0),
          "[SGD] nesterov needs momentum > 0 and dampening = 0, got {} and {}", options.momentum,
          options.dampening);
}

void SGD::step() {
    refuse_in_capture(name(), "take an optimiser's step; do it after replay()");
    const NoGrad no_grad;
    std::vector<Tensor> momentum = momentum_, values(momentum_.size());
    for (size_t i = 0; i < momentum.size(); ++i) {  // all that can fail, before anything is changed
        Tensor g = gradient(i);
        if (!g.defined()) continue;
        const Tensor value = parameters()[i].detach();
        if (options_.weight_decay != 0) g = g + value * options_.weight_decay;
        if (options_.momentum != 0) {
            Tensor& b = momentum[i];
            b = b.defined() ? b * options_.momentum + g * (1 - options_.dampening) : g.clone();
            g = options_.nesterov ? g + b * options_.momentum : b;
        }
        values[i] = value - g * lr();
    }
    for (size_t i = 0; i < values.size(); ++i)
        if (Tensor p = parameters()[i]; values[i].defined()) p.copy_(values[i]);
    momentum_ = std::move(momentum);
}

StateDict SGD::state_dict() const {
    StateDict state{{"lr", scalar(lr(), {.dtype = DType::f64})}};
    for (size_t i = 0; i < momentum_.size(); ++i)
        if (momentum_[i].defined()) state[fmt::format("{}.momentum_buffer", i)] = momentum_[i];
    return state;
}

void SGD::load_state_dict(const StateDict& state) {
    StateReader reader(name(), state);
    const double rate = reader.number("lr");
    std::vector<Tensor> loaded(momentum_.size());
    for (size_t i = 0; i < loaded.size(); ++i)
        if (const std::string key = fmt::format("{}.momentum_buffer", i); reader.has(key))
            loaded[i] = reader.tensor(key, parameters()[i]);
    reader.finish();
    set_lr(rate);
    momentum_ = std::move(loaded);
}

}  // namespace lily::optim
