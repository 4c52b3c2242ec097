// SPDX-License-Identifier: MIT
// --device, --precision, --threads and --quiet, of every command of every program that trains.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

#include "examples/common/words.h"
#include "framework/device_choice.h"
#include "framework/io/progress.h"
#include "kernels/common/parallel.h"

namespace lily {

inline const Words<Precision> kPrecisions{
    {"f32", Precision::f32}, {"tf32", Precision::tf32}, {"bf16", Precision::bf16}};

struct Machine {
    std::string device = "auto";
    int threads = 0;  // 0: all cores
    bool quiet = false;
    Precision precision = Precision::f32;

    // Prints a line on stderr, unless --quiet.
    template <class... Args>
    void say(fmt::format_string<Args...> line, Args&&... args) const {
        if (!quiet) io::put(stderr, fmt::format(line, std::forward<Args>(args)...) + "\n");
    }

    // Takes the threads, the device and the precision.
    DeviceChoice choose_quietly() const {
        if (threads > 0) kernels::set_max_threads(threads);
        DeviceChoice chosen = choose_device(device);
        check(precision == Precision::f32 || chosen.device != Device::cpu,
              "--precision {} needs a GPU, the CPU computes in f32 only; see --device",
              word_for(precision, kPrecisions));
        set_product_precision(precision);
        return chosen;
    }
    // The same, and says which device it is.
    Device choose() const {
        const DeviceChoice chosen = choose_quietly();
        say("{}", chosen.reason);
        return chosen.device;
    }
};

}  // namespace lily
