// SPDX-License-Identifier: MIT
// What the commands do; each returns the program's exit code.
#pragma once

#include "examples/stylegan/command_line.h"

namespace lily::stylegan {

int run(const TrainSettings& s);
int run(const GenerateSettings& s);
int run(const MixSettings& s);
int run(const TruncationSettings& s);
int run(const NoiseSettings& s);
int run(const WalkSettings& s);
int run(const EvaluateSettings& s);

// "0-3,7" -> 0, 1, 2, 3, 7. Throws for anything else, and names the option.
models::Seeds parse_seeds(const char* option, const std::string& text);

// Layers begin, … end - 1. Coarse styles are those of 4x4 and 8x8, middle ones of 16x16 and 32x32, fine ones
// of all larger resolutions; networks of few layers are parted alike: 2 + 1 + 1 of 8x8, 2 + 2 + 2 of 16x16,
// 4 + 2 + 2 of 32x32.
struct Layers {
    int64_t begin, end;
};
Layers layers_of(Styles styles, int64_t layers);

}  // namespace lily::stylegan
