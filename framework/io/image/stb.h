// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "framework/io/image.h"
#include "framework/io/image/raster.h"

namespace lily::io {

// The pixels of a BMP or TGA whose header says width x height; the file is `head` followed by `body`.
// Alpha that is 0 everywhere is none.
Raster decode_by_stb(Bytes head, Bytes body, const std::string& name, int64_t width, int64_t height);

void make_opaque(Raster& raster);

}  // namespace lily::io
