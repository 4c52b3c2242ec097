// SPDX-License-Identifier: MIT
// A training that mpirun has started several times.
#pragma once

#include <fmt/ranges.h>

#include <functional>

#include "framework/distributed/process_group.h"
#include "framework/io/checkpoint.h"

namespace lily {

// For train::RunOptions::agree: all end after the same step.
inline std::function<int(int)> agreement(distributed::ProcessGroup& processes) {
    if (processes.is_alone()) return {};
    return [&processes](int signal) { return static_cast<int>(processes.most(signal)); };
}

// All are to have been started alike; `settings` as of a run, asked for if there are several.
inline void require_same_settings(distributed::ProcessGroup& processes,
                                  const std::function<io::Checkpoint::Settings()>& settings) {
    if (!processes.is_alone()) processes.require_same("data or options", fmt::format("{}", settings()));
}

// How many pictures of a step each process takes.
inline int64_t share_of_batch(const distributed::ProcessGroup& processes, int64_t batch_size) {
    check(batch_size % processes.size() == 0, "--batch-size {} cannot be shared by {} processes", batch_size,
          processes.size());
    return batch_size / processes.size();
}

}  // namespace lily
