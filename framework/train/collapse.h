// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "framework/train/run.h"

namespace lily::train {

enum class OnCollapse { warn, stop, rollback };

// What a run does about checks of its health: two bad ones in a row are a collapse. Then it warns; or stops
// with Run::kStopped; or goes back to the last good state (RunOptions::good, is_good) and on from there
// another way, three times at most.
class CollapseGuard {
  public:
    static constexpr int64_t kBadChecks = 2, kMostRollbacks = 3;
    // After a rollback: the step where it collapsed, and what to multiply the state's learning rate by, so
    // that it halves with every rollback.
    using ChangeCourse = std::function<void(int64_t from, double factor)>;

    CollapseGuard(OnCollapse what, ChangeCourse change_course);

    bool is_good() const { return bad_checks_ == 0; }
    void add_to(Run& run);  // its counts; before begin()
    void begin();           // after Run::begin(): a collapse that ended a run is to be seen again
    // After log(). `problem`: what the check found, empty for nothing; `where` follows the step in the
    // warning.
    void report(Run& run, const std::string& problem, const std::string& where = {});

  private:
    void roll_back(Run& run);

    const OnCollapse what_;
    const ChangeCourse change_course_;
    int64_t bad_checks_ = 0, rollbacks_ = 0;
};

}  // namespace lily::train
