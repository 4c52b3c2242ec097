// SPDX-License-Identifier: MIT
// --device, --threads and --quiet, of every command of every program that trains.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

#include "framework/device_choice.h"
#include "framework/io/progress.h"
#include "kernels/common/parallel.h"

namespace lily {

struct Machine {
    std::string device = "auto";
    int threads = 0;  // 0: all cores
    bool quiet = false;

    // Prints a line on stderr, unless --quiet.
    template <class... Args>
    void say(fmt::format_string<Args...> line, Args&&... args) const {
        if (!quiet) io::put(stderr, fmt::format(line, std::forward<Args>(args)...) + "\n");
    }

    // Takes the threads and the device.
    DeviceChoice choose_quietly() const {
        if (threads > 0) kernels::set_max_threads(threads);
        return choose_device(device);
    }
    // The same, and says which device it is.
    Device choose() const {
        const DeviceChoice chosen = choose_quietly();
        say("{}", chosen.reason);
        return chosen.device;
    }
};

}  // namespace lily
