// SPDX-License-Identifier: MIT
#include "framework/optim/ema.h"

#include <algorithm>
#include <cmath>

#include "framework/autograd.h"
#include "framework/capture.h"
#include "framework/optim/lerp.h"

namespace lily::optim {
namespace {

const std::string kAverage = "average.", kUpdates = "updates";

void check_decay(double decay) {
    check(decay >= 0 && decay < 1, "[ema] expected a decay in [0,1), got {}", decay);
}

}  // namespace

EmaDecay constant_decay(double decay) {
    check_decay(decay);
    return [decay](int64_t) { return decay; };
}

EmaDecay warm_up_decay(double decay) {
    check_decay(decay);
    return [decay](int64_t updates) {
        const auto t = static_cast<double>(updates);
        return std::min(decay, (1 + t) / (10 + t));
    };
}

EmaDecay half_life_decay(double half_life, double per_update, double ramp_up) {
    check(half_life > 0 && per_update > 0 && ramp_up >= 0,
          "[ema] expected a half-life and an update of more than 0 pictures, got {} and {}", half_life,
          per_update);
    return [=](int64_t updates) {
        double life = half_life;
        if (ramp_up > 0) life = std::min(life, ramp_up * per_update * static_cast<double>(updates));
        return life > 0 ? std::pow(0.5, per_update / life) : 0.0;
    };
}

Ema::Ema(nn::Module& average, const nn::Module& model, EmaDecay decay)
    : average_(average), model_(model), decay_(std::move(decay)) {
    average_.load_state_dict(model_.state_dict());
    average_.requires_grad_(false);
    average_.eval();
}

void Ema::update() {
    const NoGrad no_grad;
    const auto next = [this] { return 1 - decay_(updates_++); };
    const auto* const replayed =
        each_replay<float>(1, [next](float* to) { *to = static_cast<float>(next()); });
    std::vector<Tensor> buffers = average_.buffers();
    const std::vector<Tensor> of_model = model_.buffers();
    const double weight = replayed ? 0 : next();
    for (const DType dtype : {DType::f32, DType::f64}) {  // each in one pass
        std::vector<Tensor> averages = average_.parameters(), values = model_.parameters();
        const auto of_another = [dtype](const Tensor& t) { return t.dtype() != dtype; };
        std::erase_if(averages, of_another);
        std::erase_if(values, of_another);
        lerp_(averages, values, weight, replayed);
    }
    for (size_t i = 0; i < buffers.size(); ++i) buffers[i].copy_(of_model[i]);
}

StateDict Ema::state_dict() const {
    StateDict state = {{kUpdates, from_vector<int64_t>({updates_}, {1})}};
    for (const auto& [name, tensor] : average_.state_dict()) state.emplace(kAverage + name, tensor);
    return state;
}

void Ema::load_state_dict(const StateDict& state) {
    StateDict average;
    for (const auto& [name, tensor] : state)
        if (name.starts_with(kAverage)) average.emplace(name.substr(kAverage.size()), tensor);
    const auto updates = state.find(kUpdates);
    check(updates != state.end() && updates->second.dtype() == DType::i64 && updates->second.numel() == 1,
          "[ema] the state does not say how many updates were done");
    average_.load_state_dict(average);
    updates_ = updates->second.to_vector<int64_t>()[0];
}

}  // namespace lily::optim
