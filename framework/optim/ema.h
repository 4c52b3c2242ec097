// SPDX-License-Identifier: MIT
#pragma once

#include <functional>

#include "framework/nn/module.h"

namespace lily::optim {

// How much of an average stays in its next update; t: updates done before.
using EmaDecay = std::function<double(int64_t t)>;
EmaDecay constant_decay(double decay);
// min(decay, (1 + t) / (10 + t)): the first, random weights are soon forgotten. (As TensorFlow's
// num_updates.)
EmaDecay warm_up_decay(double decay);
// 0.5^(per_update / half_life): half of the average is forgotten in `half_life` pictures, `per_update` at a
// time. ramp_up > 0: the half-life is at most so large a part of the pictures seen, as in Karras et al. 2020.
EmaDecay half_life_decay(double half_life, double per_update, double ramp_up = 0);

// An exponential moving average of a module's parameters, kept in a second module of the same kind:
//     average <- decay · average + (1 - decay) · model
// Buffers are copied. The average begins as a copy of the model, in evaluation mode, without gradients.
class Ema {
  public:
    // Refers to both.
    Ema(nn::Module& average, const nn::Module& model, EmaDecay decay);

    void update();  // after each step of the model's optimiser
    int64_t updates() const { return updates_; }

    StateDict state_dict() const;  // the average, and how many updates were done
    void load_state_dict(const StateDict& state);

  private:
    nn::Module& average_;
    const nn::Module& model_;
    EmaDecay decay_;
    int64_t updates_ = 0;
};

}  // namespace lily::optim
