// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "framework/io/image.h"

namespace lily::io {

// An endless animation of grey pictures (1 channel, one size), atomically. A frame is shown for
// `centiseconds`.
void save_gif(const std::string& path, const std::vector<Image>& frames, int centiseconds);

}  // namespace lily::io
