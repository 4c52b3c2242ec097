// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <vector>

#include "framework/io/image.h"

namespace lily::io {

// An endless animation of grey or RGB pictures of one size, atomically. Grey ones, and colours of which all
// frames together have 256 or fewer, are kept exactly; more are brought to the palette of make_palette(). A
// frame is shown for `centiseconds`, 2 to 65535: browsers show frames of 0 and 1 ten times slower.
void save_gif(const std::string& path, const std::vector<Image>& frames, int centiseconds);

// Throws if an animation cannot have such sides. To call before a long run.
void check_gif_size(const std::string& path, int64_t width, int64_t height);

}  // namespace lily::io
