// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "framework/io/image.h"
#include "framework/io/image/raster.h"

namespace lily::io {

bool is_jpeg(Bytes bytes);
// Throws Error naming `name`, also where data of a scan or the end of the file is missing.
Raster decode_jpeg(Bytes bytes, const std::string& name, const ImageOptions& options);

}  // namespace lily::io
