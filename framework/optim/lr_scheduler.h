// SPDX-License-Identifier: MIT
// Learning rates as functions of the number of step() calls, in closed form: n = 0 when made.
#pragma once

#include <functional>
#include <vector>

#include "framework/optim/optimizer.h"

namespace lily::optim {

// Sets the optimiser's lr when made and at every step(). The optimiser must outlive it.
class LRScheduler {
  public:
    using Rate = std::function<double(double base_lr, int64_t n)>;

    LRScheduler(Optimizer& optimizer, Rate rate);
    void step();

    double lr() const { return optimizer_.lr(); }
    int64_t last_epoch() const { return n_; }
    StateDict state_dict() const;
    void load_state_dict(const StateDict& state);  // sets the optimiser's lr too

  private:
    void apply() { optimizer_.set_lr(rate_(base_lr_, n_)); }

    Optimizer& optimizer_;
    Rate rate_;
    double base_lr_;  // the optimiser's lr when this was made
    int64_t n_ = 0;
};

// lr · γ^⌊n / step_size⌋
class StepLR final : public LRScheduler {
  public:
    StepLR(Optimizer& optimizer, int64_t step_size, double gamma = 0.1);
};

// lr · γ^(milestones <= n)
class MultiStepLR final : public LRScheduler {
  public:
    MultiStepLR(Optimizer& optimizer, std::vector<int64_t> milestones, double gamma = 0.1);
};

// lr · γⁿ
class ExponentialLR final : public LRScheduler {
  public:
    ExponentialLR(Optimizer& optimizer, double gamma);
};

// From lr to eta_min in T_max steps along half a cosine, then back up, and so on.
class CosineAnnealingLR final : public LRScheduler {
  public:
    CosineAnnealingLR(Optimizer& optimizer, int64_t T_max, double eta_min = 0);
};

// lr · (a straight line from start_factor to end_factor in total_iters steps, constant after): a warm-up.
class LinearLR final : public LRScheduler {
  public:
    explicit LinearLR(Optimizer& optimizer, double start_factor = 1.0 / 3, double end_factor = 1,
                      int64_t total_iters = 5);
};

// lr · factor(n)
class LambdaLR final : public LRScheduler {
  public:
    LambdaLR(Optimizer& optimizer, std::function<double(int64_t n)> factor);
};

}  // namespace lily::optim
