// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "framework/io/image.h"
#include "framework/io/image/raster.h"

namespace lily::io {

bool is_png(Bytes bytes);
// Throws Error naming `name`, also where a chunk's checksum or the end of the file is missing.
Raster decode_png(Bytes bytes, const std::string& name, const ImageOptions& options);

}  // namespace lily::io
