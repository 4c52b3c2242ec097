// SPDX-License-Identifier: MIT
#include "models/gan/monitor.h"

namespace lily::models {
namespace {

constexpr double kMostSaturation = 0.97;  // D knows: nothing is left for G to learn from
constexpr double kMemory = 0.99;          // of the running mean: a hundred steps

}  // namespace

CollapseMonitor::CollapseMonitor(const data::Dataset& set, train::VarietyMonitor::Features features)
    : variety_(set, std::move(features)) {}

void CollapseMonitor::see(const GanStep& step, GanLoss loss) {
    const double gap = has_beliefs(loss) ? step.d_real - step.d_fake : 0;
    saturation_ = kMemory * saturation_ + (1 - kMemory) * gap;
}

GanHealth CollapseMonitor::check(const Tensor& samples) const {
    GanHealth health{variety_.check(samples), saturation_};
    if (health.problem.empty() && !(health.saturation <= kMostSaturation))
        health.problem =
            fmt::format("D is {:.1f} % certain of everything: G has stopped learning", 100 * saturation_);
    return health;
}

}  // namespace lily::models
