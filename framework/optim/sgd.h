// SPDX-License-Identifier: MIT
#pragma once

#include "framework/optim/optimizer.h"

namespace lily::optim {

struct SGDOptions {
    double lr = 1e-3;
    double momentum = 0;
    double dampening = 0;
    double weight_decay = 0;
    bool nesterov = false;
};

// g̃ = g + λ p;  b ← μ b + (1 − dampening) g̃, b = g̃ at first;  p ← p − lr b, with Nesterov p − lr (g̃ + μ b)
class SGD final : public Optimizer {
  public:
    explicit SGD(std::vector<Tensor> parameters, SGDOptions options = {});

    using Optimizer::step;
    void step() override;
    StateDict state_dict() const override;  // lr, and per parameter "0.momentum_buffer"
    void load_state_dict(const StateDict& state) override;

  private:
    SGDOptions options_;
    std::vector<Tensor> momentum_;  // one per parameter; undefined before its first step
};

}  // namespace lily::optim
