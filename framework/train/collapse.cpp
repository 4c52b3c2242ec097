// SPDX-License-Identifier: MIT
#include "framework/train/collapse.h"

#include <cmath>

namespace lily::train {
namespace {

constexpr const char* kCollapse = "stopped by a collapse";

}  // namespace

CollapseGuard::CollapseGuard(OnCollapse what, ChangeCourse change_course)
    : what_(what), change_course_(std::move(change_course)) {}

void CollapseGuard::add_to(Run& run) {
    run.add("rollbacks", rollbacks_);
    run.add("bad_checks", bad_checks_);
}

void CollapseGuard::begin() {
    if (what_ != OnCollapse::warn && bad_checks_ >= kBadChecks) bad_checks_ = 0;
}

void CollapseGuard::report(Run& run, const std::string& problem, const std::string& where) {
    bad_checks_ = problem.empty() ? 0 : bad_checks_ + 1;
    if (bad_checks_ != kBadChecks) return;
    run.message(fmt::format("warning: collapse at iteration {}{}: {}", run.step(), where, problem));
    if (what_ == OnCollapse::stop) run.stop(kCollapse);
    if (what_ == OnCollapse::rollback) roll_back(run);
}

void CollapseGuard::roll_back(Run& run) {
    const int64_t from = run.step(), rollbacks = rollbacks_ + 1;
    if (rollbacks > kMostRollbacks) {
        run.message(fmt::format("stops: {} rollbacks did not help", kMostRollbacks));
        run.stop(kCollapse);
        return;
    }
    run.roll_back([&] {
        // The good state may be older than the rollbacks before.
        change_course_(from, std::pow(0.5, rollbacks - rollbacks_));
        rollbacks_ = rollbacks;
        bad_checks_ = 0;
    });
    run.message(
        fmt::format("rolled back to iteration {}; learning rate x {}", run.step(), std::pow(0.5, rollbacks)));
}

}  // namespace lily::train
