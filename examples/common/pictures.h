// SPDX-License-Identifier: MIT
// Loading data, and saying what was found on the way.
#pragma once

#include <algorithm>
#include <string>

#include "examples/common/machine.h"
#include "framework/data/dataset.h"

namespace lily {

// The set's warnings and remarks.
inline void say_what_was_found(const Machine& machine, const data::Dataset& set) {
    if (!set.skipped.empty()) machine.say("warning: {}", set.skipped_text());
    constexpr size_t kMostLines = 10;
    for (size_t i = 0; i < std::min(set.remarks.size(), kMostLines); ++i) machine.say("{}", set.remarks[i]);
    if (set.remarks.size() > kMostLines)
        machine.say("… and {} more such lines", set.remarks.size() - kMostLines);
}

// MNIST's files or pictures of a folder (data::load_folder), after its warnings and remarks were printed.
inline data::Dataset load_pictures(const Machine& machine, const std::string& folder, int size) {
    data::Dataset set = data::load_folder(folder, size);
    say_what_was_found(machine, set);
    return set;
}

// The list of the pictures that were skipped, if there were any.
inline void save_skipped(const Machine& machine, const data::Dataset& set, const std::string& path) {
    if (set.skipped.empty()) return;
    set.save_skipped(path);
    machine.say("the list of skipped pictures is {}", path);
}

}  // namespace lily
