// SPDX-License-Identifier: MIT
#pragma once

#include <array>

#include "framework/optim/optimizer.h"
#include "kernels/adam/adam.h"

namespace lily::optim {

struct AdamOptions {
    double lr = 1e-3;
    std::array<double, 2> betas = {0.9, 0.999};  // decay of the running means of g and g²
    double eps = 1e-8;
    double weight_decay = 0;  // added to the gradient: an L2 penalty
    // eps beside the root of the second moment before its correction: Kingma & Ba's "ε̂", TensorFlow 1's Adam
    bool eps_uncorrected = false;
};

// The formulas: kernels/adam/adam.h.
class Adam : public Optimizer {
  public:
    explicit Adam(const std::vector<Tensor>& parameters, AdamOptions options = {});

    using Optimizer::step;
    void step() override;
    void add_param_group(const ParamGroup& group) override;
    StateDict state_dict() const override;  // lr, and per parameter "0.step", "0.exp_avg", "0.exp_avg_sq"
    void load_state_dict(const StateDict& state) override;
    void reset();  // to the state before the first step; the learning rates stay

  protected:
    enum class Decay : bool { added_to_gradient, decoupled };
    Adam(const char* name, const std::vector<Tensor>& parameters, AdamOptions options, Decay decay);

  private:
    struct State {
        int64_t step = 0;  // 0: no gradient yet, the tensors are undefined or 0
        Tensor exp_avg, exp_avg_sq;
    };
    struct Pending {
        size_t parameter;
        Tensor gradient;
        State state;  // as it will be
    };
    std::vector<Pending> prepare() const;
    kernels::AdamSettings settings(const Group& group) const;
    template <class T>
    void update(const Group& group, std::vector<Pending>& pending, const kernels::AdamNumbers* replayed);

    AdamOptions options_;
    Decay decay_;
    std::vector<State> states_;  // one per parameter
};

struct AdamWOptions {
    double lr = 1e-3;
    std::array<double, 2> betas = {0.9, 0.999};
    double eps = 1e-8;
    double weight_decay = 1e-2;  // of the parameter itself, apart from the gradient
};

class AdamW final : public Adam {
  public:
    explicit AdamW(const std::vector<Tensor>& parameters, AdamWOptions options = {});
};

}  // namespace lily::optim
