// SPDX-License-Identifier: MIT
#include "framework/memory_limit.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

namespace lily {
namespace {

namespace fs = std::filesystem;

// The least that a group allows, or one of those above it. `folder`: where the hierarchy is mounted. In a
// container the path may be the host's, which is not to be seen from here: what is mounted is the
// container's own group, at the top.
void look_up(const fs::path& folder, const std::string& group, const char* file, MemoryLimit& least) {
    const bool outside = group.find("/..") != std::string::npos;
    for (fs::path at = outside ? "/" : group;; at = at.parent_path()) {
        double limit = 0;  // the file says "max" where there is none
        if (std::ifstream(folder / at.relative_path() / file) >> limit && limit > 0 && limit < least.bytes)
            least = {limit, fmt::format("the control group {} allows", at.string())};
        if (!at.has_relative_path()) break;
    }
}

}  // namespace

MemoryLimit resident_limit(const std::string& root) {
    MemoryLimit least{
        static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE)),
        "this machine has"};
    const fs::path mounted = root + "/sys/fs/cgroup";
    std::ifstream groups(root + "/proc/self/cgroup");
    for (std::string line; std::getline(groups, line);) {  // "4:memory:/job", "0::/job"
        const size_t first = line.find(':'), second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos || second + 1 == line.size()) continue;
        const std::string controllers = "," + line.substr(first + 1, second - first - 1) + ",";
        const std::string group = line.substr(second + 1);
        if (controllers == ",,") look_up(mounted, group, "memory.max", least);
        if (controllers.find(",memory,") != std::string::npos)
            look_up(mounted / "memory", group, "memory.limit_in_bytes", least);
    }
    return least;
}

std::optional<MemoryLimit> address_space_limit() {
    std::optional<MemoryLimit> least;
    for (const auto& [resource, by] :
         {std::pair{RLIMIT_AS, "ulimit -v allows"}, {RLIMIT_DATA, "ulimit -d allows"}}) {
        struct rlimit limit {};
        if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) continue;
        const auto bytes = static_cast<double>(limit.rlim_cur);
        if (!least || bytes < least->bytes) least = {bytes, by};
    }
    return least;
}

double peak_resident_bytes() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with("VmHWM:")) return std::strtod(line.c_str() + 6, nullptr) * 1024;
    return 0;
}

}  // namespace lily
