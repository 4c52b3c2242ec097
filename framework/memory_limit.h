// SPDX-License-Identifier: MIT
#pragma once

#include <optional>
#include <string>

namespace lily {

struct MemoryLimit {
    double bytes = 0;
    std::string by;  // "this machine has", "the control group /job allows": for messages
};

// What this process may keep in memory: the machine's, or less in a container or a job, whose control groups
// (version 2 or 1) are those of /proc/self/cgroup and all above. `root`: of the files to read; for tests.
MemoryLimit resident_limit(const std::string& root = "");

// What it may map, by ulimit -v or -d, if there is such a limit.
std::optional<MemoryLimit> address_space_limit();

// The most that it has kept in memory so far; 0: not known.
double peak_resident_bytes();

}  // namespace lily
