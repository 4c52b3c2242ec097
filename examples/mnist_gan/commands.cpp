// SPDX-License-Identifier: MIT
#include "examples/mnist_gan/commands.h"

#include <algorithm>

#include "framework/error.h"

namespace lily::mnist_gan {

data::Dataset load_pictures(const Machine& machine, const std::string& folder, int size) {
    data::Dataset set = data::load_folder(folder, size);
    if (!set.skipped.empty()) machine.say("warning: {}", set.skipped_text());
    constexpr size_t kMostLines = 10;
    for (size_t i = 0; i < std::min(set.remarks.size(), kMostLines); ++i) machine.say("{}", set.remarks[i]);
    if (set.remarks.size() > kMostLines)
        machine.say("… and {} more such lines", set.remarks.size() - kMostLines);
    return set;
}

std::vector<int64_t> classes_for(int64_t count, int digit, int64_t classes) {
    check(digit < 0 || classes > 0, "--digit needs a model that was trained with --conditional");
    check(digit < classes || digit < 0, "--digit {} is not one of the model's classes, 0 to {}", digit,
          classes - 1);
    std::vector<int64_t> list;
    for (int64_t i = 0; classes > 0 && i < count; ++i) list.push_back(digit >= 0 ? digit : i % classes);
    return list;
}

}  // namespace lily::mnist_gan
