// SPDX-License-Identifier: MIT
#pragma once

#include <deque>
#include <optional>

#include "framework/optim/line_search.h"
#include "framework/optim/optimizer.h"

namespace lily::optim {

struct LBFGSOptions {
    double lr = 1;          // the first step length that is tried; without line search: the step
    int64_t max_iter = 20;  // iterations per step()
    // Evaluations of the closure per step(), checked after each iteration; default: 1.25 max_iter. A given
    // limit also cuts line searches short. (PyTorch 2.15's default does so too: with max_iter = 1 a line
    // search there has one evaluation, and may never move.)
    std::optional<int64_t> max_eval = {};
    double tolerance_grad = 1e-7;    // done when max |gradient| is this small
    double tolerance_change = 1e-9;  // done when neither x nor the loss moves by more
    int64_t history_size = 100;      // pairs of vectors kept: 2 · history_size · (size of the parameters)
    bool strong_wolfe = true;        // line search; false: fixed steps of lr
};

// Limited-memory BFGS (Nocedal & Wright, algorithm 7.4), iteration for iteration as torch.optim.LBFGS.
// All parameters have one dtype.
class LBFGS final : public Optimizer {
  public:
    explicit LBFGS(const std::vector<Tensor>& parameters, LBFGSOptions options = {});

    // Several iterations; the closure is called at least once, and with other parameters during line search.
    double step(const Closure& closure) override;
    void step() override;  // throws: L-BFGS needs the closure
    [[noreturn]] void add_param_group(
        const ParamGroup& group) override;  // throws: it has one direction for all

    // Forgets the history: the next direction is that of steepest descent. Helps where the remembered
    // curvature leads nowhere.
    void restart();

    StateDict state_dict() const override;  // lr, and the history: vectors over all parameters
    void load_state_dict(const StateDict& state) override;

  private:
    struct Pair {
        Tensor y, s;  // change of the gradient, change of x
        double rho;   // 1 / y·s
    };
    // What one iteration leaves to the next, also from one step() to the next.
    struct State {
        int64_t iterations = 0, evaluations = 0;
        Tensor d;      // the last direction
        double t = 0;  // how far it was followed
        Tensor previous_gradient;
        double previous_loss = 0;
        double inverse_scale = 1;  // H₀ = inverse_scale · I
        std::deque<Pair> history;  // oldest first
    };

    double iterate(const Closure& closure);
    LinePoint evaluate(const Closure& closure);
    LinePoint evaluate_at(const Closure& closure, const Tensor& x, double t);
    void update_direction(const Tensor& gradient);

    LBFGSOptions options_;
    State state_;
};

}  // namespace lily::optim
