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

// The formulas: kernels/sgd/sgd.h.
class SGD final : public Optimizer {
  public:
    explicit SGD(const std::vector<Tensor>& parameters, SGDOptions options = {});

    using Optimizer::step;
    void step() override;
    void add_param_group(const ParamGroup& group) override;
    StateDict state_dict() const override;  // lr, and per parameter "0.momentum_buffer"
    void load_state_dict(const StateDict& state) override;

  private:
    struct Pending {
        size_t parameter;
        Tensor gradient, momentum;  // undefined without momentum
        bool is_first;              // the momentum holds nothing yet
    };
    template <class T>
    void update(const Group& group, std::vector<Pending>& pending, const float* replayed_lr);

    SGDOptions options_;
    std::vector<Tensor> momentum_;  // one per parameter; undefined before its first step
};

}  // namespace lily::optim
