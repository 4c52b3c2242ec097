// SPDX-License-Identifier: MIT
// What the commands do; each returns the program's exit code.
#pragma once

#include "examples/stylegan/command_line.h"

namespace lily::stylegan {

int run(const TrainSettings& s);
int run(const GenerateSettings& s);

// "0-3,7" -> 0, 1, 2, 3, 7. Throws for anything else.
models::Seeds parse_seeds(const std::string& text);

}  // namespace lily::stylegan
