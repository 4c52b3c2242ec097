// SPDX-License-Identifier: MIT
#include "framework/optim/lr_scheduler.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "framework/optim/state_reader.h"

namespace lily::optim {
namespace {

int64_t at_least_one(const char* who, const char* what, int64_t value) {
    check(value >= 1, "[{}] expected {} >= 1, got {}", who, what, value);
    return value;
}

}  // namespace

LRScheduler::LRScheduler(Optimizer& optimizer, Rate rate) : optimizer_(optimizer), rate_(std::move(rate)) {
    for (size_t g = 0; g < optimizer.group_count(); ++g) base_lr_.push_back(optimizer.initial_lr(g));
    apply();
}

void LRScheduler::apply() {
    check(base_lr_.size() == optimizer_.group_count(),
          "[LRScheduler] the optimiser has {} groups, {} when this was made: add groups first",
          optimizer_.group_count(), base_lr_.size());
    for (size_t g = 0; g < base_lr_.size(); ++g) optimizer_.set_lr(g, rate_(base_lr_[g], n_));
}

void LRScheduler::step() {
    ++n_;
    apply();
}

StateDict LRScheduler::state_dict() const {
    return {{"base_lr", from_vector(base_lr_, {static_cast<int64_t>(base_lr_.size())})},
            {"last_epoch", from_vector<int64_t>({n_}, {})}};
}

void LRScheduler::load_state_dict(const StateDict& state) {
    StateReader reader("LRScheduler", state);
    std::vector<double> base = reader.numbers("base_lr");
    const int64_t n = reader.integer("last_epoch");
    reader.finish();
    check(base.size() == base_lr_.size(), "[LRScheduler] the state is of {} groups, expected {}", base.size(),
          base_lr_.size());
    base_lr_ = std::move(base);
    n_ = n;
    apply();
}

StepLR::StepLR(Optimizer& optimizer, int64_t step_size, double gamma)
    : LRScheduler(optimizer,
                  [size = at_least_one("StepLR", "step_size", step_size), gamma](double lr, int64_t n) {
                      return lr * std::pow(gamma, static_cast<double>(n / size));
                  }) {}

MultiStepLR::MultiStepLR(Optimizer& optimizer, std::vector<int64_t> milestones, double gamma)
    : LRScheduler(optimizer, [milestones = std::move(milestones), gamma](double lr, int64_t n) {
          const auto passed =
              std::count_if(milestones.begin(), milestones.end(), [n](int64_t m) { return m <= n; });
          return lr * std::pow(gamma, static_cast<double>(passed));
      }) {}

ExponentialLR::ExponentialLR(Optimizer& optimizer, double gamma)
    : LRScheduler(optimizer,
                  [gamma](double lr, int64_t n) { return lr * std::pow(gamma, static_cast<double>(n)); }) {}

CosineAnnealingLR::CosineAnnealingLR(Optimizer& optimizer, int64_t T_max, double eta_min)
    : LRScheduler(optimizer, [period = at_least_one("CosineAnnealingLR", "T_max", T_max), eta_min](
                                 double lr, int64_t n) {
          const double angle = std::numbers::pi * static_cast<double>(n) / static_cast<double>(period);
          return eta_min + (lr - eta_min) * (1 + std::cos(angle)) / 2;
      }) {}

LinearLR::LinearLR(Optimizer& optimizer, double start_factor, double end_factor, int64_t total_iters)
    : LRScheduler(
          optimizer, [=, total = at_least_one("LinearLR", "total_iters", total_iters)](double lr, int64_t n) {
              const double done = static_cast<double>(std::min(n, total)) / static_cast<double>(total);
              return lr * (start_factor + (end_factor - start_factor) * done);
          }) {}

namespace {

LRScheduler::Rate one_after_the_other(const std::vector<LRScheduler>& parts,
                                      const std::vector<int64_t>& milestones) {
    check(!parts.empty() && milestones.size() + 1 == parts.size(),
          "[SequentialLR] expected one milestone fewer than schedulers, got {} and {}", milestones.size(),
          parts.size());
    std::vector<LRScheduler::Rate> rates;
    for (const LRScheduler& part : parts) rates.push_back(part.rate());
    for (size_t i = 0; i < milestones.size(); ++i)
        check(milestones[i] > (i > 0 ? milestones[i - 1] : 0),
              "[SequentialLR] expected milestones that increase from 1 on, got {}",
              fmt::join(milestones, ", "));
    return [rates, milestones](double lr, int64_t n) {
        const auto next = std::upper_bound(milestones.begin(), milestones.end(), n);
        const int64_t begin = next == milestones.begin() ? 0 : *(next - 1);
        return rates[static_cast<size_t>(next - milestones.begin())](lr, n - begin);
    };
}

}  // namespace

SequentialLR::SequentialLR(Optimizer& optimizer, const std::vector<LRScheduler>& parts,
                           const std::vector<int64_t>& milestones)
    : LRScheduler(optimizer, one_after_the_other(parts, milestones)) {}

SequentialLR warm_up_cosine(Optimizer& optimizer, int64_t warm_up, int64_t total, double eta_min) {
    check(warm_up >= 1 && warm_up < total, "[warm_up_cosine] expected 1 <= warm_up < total, got {} and {}",
          warm_up, total);
    return {optimizer,
            {LinearLR(optimizer, 0.01, 1, warm_up), CosineAnnealingLR(optimizer, total - warm_up, eta_min)},
            {warm_up}};
}

LambdaLR::LambdaLR(Optimizer& optimizer, std::function<double(int64_t)> factor)
    : LRScheduler(optimizer, [factor = std::move(factor)](double lr, int64_t n) { return lr * factor(n); }) {}

}  // namespace lily::optim
