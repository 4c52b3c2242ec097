// SPDX-License-Identifier: MIT
#include "kernels/common/cpu_info.h"

#include <fstream>
#include <oneapi/dnnl/dnnl.hpp>

namespace lily::kernels {

std::string cpu_name() {
    std::ifstream stream("/proc/cpuinfo");
    for (std::string line; std::getline(stream, line);)
        if (line.starts_with("model name"))
            if (const size_t at = line.find(": "); at != std::string::npos) return line.substr(at + 2);
    return "an unknown CPU";
}

std::string onednn_version() {
    const dnnl::version_t* version = dnnl::version();
    return std::to_string(version->major) + "." + std::to_string(version->minor) + "." +
           std::to_string(version->patch);
}

}  // namespace lily::kernels
