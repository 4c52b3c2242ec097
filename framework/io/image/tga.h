// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "framework/io/image.h"
#include "framework/io/image/raster.h"

namespace lily::io {

// Throws Error naming `name`, also where the header makes no sense: TGA has no signature.
Raster decode_tga(Bytes bytes, const std::string& name, const ImageOptions& options);

}  // namespace lily::io
