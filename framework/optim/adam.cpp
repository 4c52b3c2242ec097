// SPDX-License-Identifier: MIT
#include "framework/optim/adam.h"

#include "framework/autograd.h"
#include "framework/capture.h"
#include "framework/optim/state_reader.h"

namespace lily::optim {

Adam::Adam(const std::vector<Tensor>& parameters, AdamOptions options)
    : Adam("Adam", parameters, options, Decay::added_to_gradient) {}

AdamW::AdamW(const std::vector<Tensor>& parameters, AdamWOptions o)
    : Adam("AdamW", parameters, {.lr = o.lr, .betas = o.betas, .eps = o.eps, .weight_decay = o.weight_decay},
           Decay::decoupled) {}

Adam::Adam(const char* name, const std::vector<Tensor>& parameters, AdamOptions options, Decay decay)
    : Optimizer(name, parameters, options.lr, options.weight_decay),
      options_(options),
      decay_(decay),
      states_(parameters.size()) {
    for (const double beta : options.betas)
        check(beta >= 0 && beta < 1, "[{}] expected betas in [0, 1), got {} and {}", name, options.betas[0],
              options.betas[1]);
    check(options.eps >= 0, "[{}] expected eps >= 0, got {}", name, options.eps);
}

void Adam::add_param_group(const ParamGroup& group) {
    Optimizer::add_param_group(group);
    states_.resize(parameters().size());
}

// All that can fail, before anything is changed: the gradients, and the states after this step.
std::vector<Adam::Pending> Adam::prepare() const {
    std::vector<Pending> list;
    for (size_t i = 0; i < states_.size(); ++i) {
        const Tensor p = parameters()[i], g = gradient(i);
        if (!g.defined()) continue;
        State state = states_[i];
        if (!state.exp_avg.defined()) {
            const OutsideOfCapture outside(name());
            state = {0, zeros_like(p), zeros_like(p)};
        }
        check_same_device(name(), parameters()[0], p);  // one launch for all
        check_same_device(name(), p, state.exp_avg);
        ++state.step;
        list.push_back({i, g, state});
    }
    return list;
}

kernels::AdamSettings Adam::settings(const Group& group) const {
    return {.lr = group.rate(),
            .beta1 = options_.betas[0],
            .beta2 = options_.betas[1],
            .eps = options_.eps,
            .weight_decay = group.weight_decay,
            .decoupled = decay_ == Decay::decoupled,
            .eps_uncorrected = options_.eps_uncorrected};
}

// All parameters of a group and of dtype T in one call of the kernel. `replayed`: of each of `pending`, or
// null.
template <class T>
void Adam::update(const Group& group, std::vector<Pending>& pending, const kernels::AdamNumbers* replayed) {
    std::vector<kernels::AdamParameter<T>> list;
    for (Pending& next : pending) {
        Tensor p = parameters()[next.parameter];
        State& state = next.state;
        if (next.parameter < group.begin || next.parameter >= group.end || p.dtype() != dtype_of<T>())
            continue;
        list.push_back({p.numel(), state.step, p.mutable_data<T>(), state.exp_avg.mutable_data<T>(),
                        state.exp_avg_sq.mutable_data<T>(), next.gradient.data<T>(),
                        replayed ? replayed + (&next - pending.data()) : nullptr});
    }
    if (list.empty()) return;
    const Tensor& first = parameters()[0];
    kernels::adam<T>(first.device()).update(first.queue(), settings(group), list);
}

void Adam::step() {
    std::vector<Pending> pending = prepare();
    std::vector<size_t> numbered;
    for (const Pending& p : pending) numbered.push_back(p.parameter);
    const auto* const replayed = each_replay<kernels::AdamNumbers>(
        pending.size(), [this, numbered = std::move(numbered)](kernels::AdamNumbers* to) {
            for (const size_t i : numbered)
                *to++ = kernels::adam_numbers(settings(group_of(i)), ++states_[i].step);
        });
    for (const Group& group : groups()) {
        update<float>(group, pending, replayed);
        update<double>(group, pending, replayed);
    }
    if (replayed) return;  // what changed is on the GPU, the steps are counted with the replays
    for (Pending& p : pending) states_[p.parameter] = std::move(p.state);
}

StateDict Adam::state_dict() const {
    StateDict state;
    put_lr(state);
    for (size_t i = 0; i < states_.size(); ++i) {
        const State& s = states_[i];
        if (s.step == 0) continue;
        state[fmt::format("{}.step", i)] = from_vector<int64_t>({s.step}, {});
        state[fmt::format("{}.exp_avg", i)] = s.exp_avg;
        state[fmt::format("{}.exp_avg_sq", i)] = s.exp_avg_sq;
    }
    return state;
}

void Adam::reset() {
    StateDict rates;
    put_lr(rates);
    load_state_dict(rates);
}

void Adam::load_state_dict(const StateDict& state) {
    StateReader reader(name(), state);
    const std::vector<double> rates = read_lr(reader);
    std::vector<State> loaded(states_.size());
    for (size_t i = 0; i < loaded.size(); ++i) {
        const std::string step = fmt::format("{}.step", i);
        if (!reader.has(step)) continue;
        const Tensor& p = parameters()[i];
        loaded[i] = {reader.integer(step), reader.tensor(fmt::format("{}.exp_avg", i), p),
                     reader.tensor(fmt::format("{}.exp_avg_sq", i), p)};
        check(loaded[i].step >= 1, "[{}] state '{}' is {}, expected at least 1", name(), step,
              loaded[i].step);
    }
    reader.finish();
    set_lr(rates);
    for (size_t i = 0; i < loaded.size(); ++i) {
        states_[i].step = loaded[i].step;
        load_in_place(states_[i].exp_avg, loaded[i].exp_avg);
        load_in_place(states_[i].exp_avg_sq, loaded[i].exp_avg_sq);
    }
}

}  // namespace lily::optim
