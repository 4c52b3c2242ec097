// SPDX-License-Identifier: MIT
// What the commands do; each returns the program's exit code.
#pragma once

#include "examples/clip/command_line.h"

namespace lily::clip {

int run(const TrainSettings& s);
int run(const EvaluateSettings& s);
int run(const TokensSettings& s);
int run(const EmbedSettings& s);
int run(const ZeroshotSettings& s);
int run(const SearchSettings& s);

}  // namespace lily::clip
