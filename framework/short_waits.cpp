// SPDX-License-Identifier: MIT
#include "framework/short_waits.h"

#include <unistd.h>

#include <climits>
#include <cstdlib>
#include <initializer_list>

namespace lily {

void restart_with_short_waits(char** argv) {
    constexpr const char* kSpin = "GOMP_SPINCOUNT";
    for (const char* name : {kSpin, "OMP_WAIT_POLICY", "LD_PRELOAD"})
        if (std::getenv(name)) return;
    // not /proc/self/exe itself: ps and top would show the program as "exe"
    char path[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
    if (length <= 0 || length == sizeof path) return;
    path[length] = 0;
    if (setenv(kSpin, "1000", 1) != 0) return;
    execv(path, argv);  // comes back if it fails
    unsetenv(kSpin);
}

}  // namespace lily
