// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "framework/io/image.h"
#include "framework/io/image/raster.h"

namespace lily::io {

bool is_webp(Bytes bytes);

// By libwebp: lossy and lossless, alpha, the profile and the orientation of the ICCP and EXIF chunks. Of an
// animation the first canvas: what its first frame leaves free is transparent.
Raster decode_webp(Bytes bytes, const std::string& name, const ImageOptions& options);

// "1.2.4", or "" in a build without libwebp, where decode_webp names the package.
std::string webp_version();

}  // namespace lily::io
