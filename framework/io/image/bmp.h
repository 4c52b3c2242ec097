// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "framework/io/image.h"
#include "framework/io/image/raster.h"

namespace lily::io {

// "BM" can begin a text: the version of the information header, at byte 14, decides.
bool is_bmp(Bytes bytes, const std::string& name);
// Throws Error naming `name`.
Raster decode_bmp(Bytes bytes, const std::string& name, const ImageOptions& options);

}  // namespace lily::io
