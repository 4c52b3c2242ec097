// SPDX-License-Identifier: MIT
// --profile: what each op of an iteration takes.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "examples/style_transfer/command_line.h"
#include "framework/profiler.h"

namespace lily::style_transfer {

class RunProfile {
  public:
    // The first iterations fetch memory, prepare weights and plan convolutions: they are left out.
    static constexpr int64_t kLeftOut = 2;

    // Does nothing without --profile.
    RunProfile(const Settings& s, Device device) : s_(s), device_(device) {}
    // Throws if a run of so many iterations has none to profile.
    static void check_length(const Settings& s, int64_t iterations);

    void before_step();
    void stop();  // the steps are over: what follows is not profiled
    // Gives `save` what writes the CSV to a path: op,pass,shape,calls,seconds, a row per op, pass and shape,
    // the sum of all profiled iterations; and says a table of shares of an iteration.
    void finish(const std::function<void(const std::function<void(const std::string&)>& write)>& save);

  private:
    void say_ops() const;
    void say_convolutions() const;

    const Settings& s_;
    Device device_;
    int64_t done_ = 0;
    std::optional<Profiler> profiler_;
    std::vector<ProfileRow> rows_;
    double seconds_ = 0;
};

}  // namespace lily::style_transfer
