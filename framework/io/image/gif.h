// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "framework/io/image.h"
#include "framework/io/image/raster.h"

namespace lily::io {

bool is_gif(Bytes bytes);

// By giflib: the first picture on its canvas; transparent are its transparent pixels, and what it leaves
// free.
Raster decode_gif(Bytes bytes, const std::string& name, const ImageOptions& options);

}  // namespace lily::io
