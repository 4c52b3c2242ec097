// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "framework/io/image.h"
#include "framework/io/image/raster.h"

namespace lily::io {

bool is_tiff(Bytes bytes);

// By libtiff: the first page that is not a reduced copy. Grey, RGB, palette, CMYK, YCbCr and CIELAB of 1 to
// 16 bits, with whatever compressions the library has. Cameras' raw files, which are TIFF too, and samples
// that are no light of 1 to 16 bits (floats, LogLuv, …) are refused by name.
Raster decode_tiff(Bytes bytes, const std::string& name, const ImageOptions& options);

// "4.5.0", or "" in a build without libtiff, where decode_tiff names the package.
std::string tiff_version();

}  // namespace lily::io
