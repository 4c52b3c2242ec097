// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "api.h"
#include "simt/xray.h"

namespace simt {
namespace {

// Lines of "compiled <kernel>", "launches <number> <kernel>", "calls <number> <function>".
void write_counts() {
    const char* folder = std::getenv("LILY_SIMT_COUNTS");
    if (folder == nullptr) return;
    const std::string path = std::string(folder) + "/" + std::to_string(getpid()) + ".txt";
    std::ofstream file(path + ".tmp");
    for (const auto& kernel : compiled_kernels()) file << "compiled " << kernel << '\n';
    for (const auto& [kernel, count] : launches()) file << "launches " << count << ' ' << kernel << '\n';
    for (const auto& [function, count] : api_calls()) file << "calls " << count << ' ' << function << '\n';
    file.close();
    std::error_code failed;
    if (file) std::filesystem::rename(path + ".tmp", path, failed);
}

}  // namespace

void write_counts_at_exit() { std::atexit(write_counts); }

}  // namespace simt
