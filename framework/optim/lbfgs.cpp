// SPDX-License-Identifier: MIT
#include "framework/optim/lbfgs.h"

#include <algorithm>
#include <cmath>

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "framework/optim/flat_vector.h"
#include "framework/optim/state_reader.h"

namespace lily::optim {

LBFGS::LBFGS(const std::vector<Tensor>& parameters, LBFGSOptions options)
    : Optimizer("LBFGS", parameters, options.lr), options_(options) {
    check(options.max_iter >= 1, "[LBFGS] expected max_iter >= 1, got {}", options.max_iter);
    check(options.max_eval.value_or(1) >= 1, "[LBFGS] expected max_eval >= 1, got {}",
          options.max_eval.value_or(1));
    check(options.history_size >= 1, "[LBFGS] expected history_size >= 1, got {}", options.history_size);
    for (const Tensor& p : this->parameters())
        check(p.dtype() == this->parameters()[0].dtype(),
              "[LBFGS] expected parameters of one dtype, got {} and {}",
              lily::name(this->parameters()[0].dtype()), lily::name(p.dtype()));
}

void LBFGS::step() { fail("[LBFGS] call step(closure): the loss is computed several times per step"); }

void LBFGS::add_param_group(const ParamGroup&) { fail("[LBFGS] parameter groups are not supported"); }

void LBFGS::restart() {
    State fresh;
    fresh.evaluations = state_.evaluations;
    state_ = std::move(fresh);
}

// The loss and its gradient at the present parameters; t and slope are for the caller to fill.
LinePoint LBFGS::evaluate(const Closure& closure) {
    ++state_.evaluations;
    const double loss = closure();
    std::vector<Tensor> gradients;
    for (size_t i = 0; i < parameters().size(); ++i) gradients.push_back(gradient(i));
    return {.t = 0, .f = loss, .gradient = flatten_all(gradients, parameters()), .slope = 0};
}

LinePoint LBFGS::evaluate_at(const Closure& closure, const Tensor& x, double t) {
    Tensor there = x.clone();
    axpy_(there, t, state_.d);
    unflatten_all(there, parameters());
    LinePoint point = evaluate(closure);
    point.t = t;
    point.slope = dot(point.gradient, state_.d);
    return point;
}

// d ← −H g with the inverse Hessian H that the history approximates (two-loop recursion).
void LBFGS::update_direction(const Tensor& gradient) {
    if (state_.iterations == 1) {
        state_.d = scaled(-1, gradient);
        return;
    }
    const NoGrad no_grad;
    Tensor y = gradient - state_.previous_gradient;
    Tensor s = scaled(state_.t, state_.d);
    const double ys = dot(y, s);
    auto& history = state_.history;
    if (ys > 1e-10) {  // keeps H positive definite
        while (static_cast<int64_t>(history.size()) >= options_.history_size) history.pop_front();
        state_.inverse_scale = ys / dot(y, y);
        history.push_back({std::move(y), std::move(s), 1 / ys});
    }
    Tensor q = scaled(-1, gradient);
    std::vector<double> alpha(history.size());
    for (size_t i = history.size(); i-- > 0;) {
        alpha[i] = history[i].rho * dot(history[i].s, q);
        axpy_(q, -alpha[i], history[i].y);
    }
    Tensor r = scaled(state_.inverse_scale, q);
    for (size_t i = 0; i < history.size(); ++i) {
        const double beta = history[i].rho * dot(history[i].y, r);
        axpy_(r, alpha[i] - beta, history[i].s);
    }
    state_.d = std::move(r);
}

double LBFGS::step(const Closure& closure) {
    const State before = state_;
    const Tensor start = flatten_all(parameters(), parameters());
    try {
        return iterate(closure);
    } catch (...) {
        state_ = before;
        unflatten_all(start, parameters());
        throw;
    }
}

double LBFGS::iterate(const Closure& closure) {
    const int64_t max_evaluations = options_.max_eval.value_or(options_.max_iter * 5 / 4);
    const int64_t evaluations_before = state_.evaluations;
    LinePoint now = evaluate(closure);
    const double first_loss = now.f;
    if (abs_max(now.gradient) <= options_.tolerance_grad) return first_loss;

    for (int64_t i = 1; i <= options_.max_iter; ++i) {
        ++state_.iterations;
        update_direction(now.gradient);
        state_.previous_gradient = now.gradient;
        state_.previous_loss = now.f;
        state_.t = state_.iterations == 1 ? std::min(1.0, 1 / abs_sum(now.gradient)) * lr() : lr();
        now.t = 0;
        now.slope = dot(now.gradient, state_.d);
        if (now.slope > -options_.tolerance_change) break;  // d hardly leads downhill

        const Tensor x = flatten_all(parameters(), parameters());
        const double d_max = abs_max(state_.d);
        if (options_.strong_wolfe) {
            const Line line = [&](double t) { return evaluate_at(closure, x, t); };
            WolfeOptions limits;
            if (options_.max_eval)
                limits.max_refinements = static_cast<int>(std::min<int64_t>(
                    limits.max_refinements, max_evaluations - (state_.evaluations - evaluations_before)));
            now = strong_wolfe(line, now, state_.t, d_max, limits).point;
            state_.t = now.t;
        }
        Tensor there = x.clone();
        axpy_(there, state_.t, state_.d);
        unflatten_all(there, parameters());
        if (!options_.strong_wolfe && i < options_.max_iter) now = evaluate(closure);

        if (state_.evaluations - evaluations_before >= max_evaluations) break;
        if (abs_max(now.gradient) <= options_.tolerance_grad) break;
        if (d_max * std::fabs(state_.t) <= options_.tolerance_change) break;
        if (std::fabs(now.f - state_.previous_loss) < options_.tolerance_change) break;
    }
    return first_loss;
}

StateDict LBFGS::state_dict() const {
    const auto number = [](double v) { return scalar(v, {.dtype = DType::f64}); };
    StateDict state{{"lr", number(lr())},
                    {"n_iter", from_vector<int64_t>({state_.iterations}, {})},
                    {"func_evals", from_vector<int64_t>({state_.evaluations}, {})}};
    if (state_.iterations == 0) return state;
    state["d"] = state_.d;
    state["t"] = number(state_.t);
    state["H_diag"] = number(state_.inverse_scale);
    state["prev_flat_grad"] = state_.previous_gradient;
    state["prev_loss"] = number(state_.previous_loss);
    std::vector<double> rho;
    for (size_t i = 0; i < state_.history.size(); ++i) {
        state[fmt::format("old_dirs.{}", i)] = state_.history[i].y;
        state[fmt::format("old_stps.{}", i)] = state_.history[i].s;
        rho.push_back(state_.history[i].rho);
    }
    state["ro"] = from_vector(rho, {static_cast<int64_t>(rho.size())});
    return state;
}

void LBFGS::load_state_dict(const StateDict& state) {
    StateReader reader(name(), state);
    const double rate = reader.number("lr");
    State loaded;
    loaded.iterations = reader.integer("n_iter");
    loaded.evaluations = reader.integer("func_evals");
    if (loaded.iterations > 0) {
        int64_t n = 0;
        for (const Tensor& p : parameters()) n += p.numel();
        const Tensor& first = parameters()[0];
        const Tensor like = empty({n}, {.dtype = first.dtype(), .device = first.device()});
        loaded.d = reader.tensor("d", like);
        loaded.t = reader.number("t");
        loaded.inverse_scale = reader.number("H_diag");
        loaded.previous_gradient = reader.tensor("prev_flat_grad", like);
        loaded.previous_loss = reader.number("prev_loss");
        const std::vector<double> rho = reader.numbers("ro");
        for (size_t i = 0; i < rho.size(); ++i)
            loaded.history.push_back({reader.tensor(fmt::format("old_dirs.{}", i), like),
                                      reader.tensor(fmt::format("old_stps.{}", i), like), rho[i]});
    }
    reader.finish();
    set_lr(rate);
    state_ = std::move(loaded);
}

}  // namespace lily::optim
