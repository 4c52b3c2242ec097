// SPDX-License-Identifier: MIT
// Pictures and texts as the commands of clip are given them.
#pragma once

#include <string>
#include <vector>

#include "examples/clip/command_line.h"
#include "framework/data/dataset.h"

namespace lily::clip {

// MNIST's files, or a folder of pictures with captions as RGB of side x side (0: 32).
data::Dataset load_set(const Machine& machine, const std::string& folder, int64_t side, data::Split split);

// The lines of a text file, without those that are empty unless `keep_empty`.
std::vector<std::string> read_lines(const std::string& path, bool keep_empty = false);
// Those of the file, or where none is named, the program's own for training or for tests.
std::vector<std::string> templates_or(const std::string& path, data::Split split);

}  // namespace lily::clip
