// SPDX-License-Identifier: MIT
// Learning rates as functions of the number of step() calls, in closed form: n = 0 when made.
#pragma once

#include <functional>
#include <vector>

#include "framework/optim/optimizer.h"

namespace lily::optim {

// Sets the lr of each of the optimiser's groups when made and at every step(), from what that was before the
// optimiser had a scheduler. The optimiser must outlive it.
class LRScheduler {
  public:
    using Rate = std::function<double(double base_lr, int64_t n)>;

    LRScheduler(Optimizer& optimizer, Rate rate);
    void step();

    double lr() const { return optimizer_.lr(); }  // of group 0
    const Rate& rate() const { return rate_; }
    int64_t last_epoch() const { return n_; }
    StateDict state_dict() const;
    void load_state_dict(const StateDict& state);  // sets the optimiser's lr too

  private:
    void apply();

    Optimizer& optimizer_;
    Rate rate_;
    std::vector<double> base_lr_;  // of each group
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

// One scheduler after the other: parts[i + 1] begins, as at n = 0, where n = milestones[i]. The parts were
// made for the same optimiser and give their formulas only.
//     SequentialLR schedule(adam, {LinearLR(adam, 0.01, 1, 500), CosineAnnealingLR(adam, 9500)}, {500});
class SequentialLR final : public LRScheduler {
  public:
    SequentialLR(Optimizer& optimizer, const std::vector<LRScheduler>& parts,
                 const std::vector<int64_t>& milestones);
};

// `warm_up` steps along a straight line up to lr, from a hundredth of it, then along half a cosine down to
// eta_min, which step `total` would have.
SequentialLR warm_up_cosine(Optimizer& optimizer, int64_t warm_up, int64_t total, double eta_min = 0);

// lr · factor(n)
class LambdaLR final : public LRScheduler {
  public:
    LambdaLR(Optimizer& optimizer, std::function<double(int64_t n)> factor);
};

}  // namespace lily::optim
