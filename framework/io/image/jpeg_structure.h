// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "framework/io/file.h"

namespace lily::io {

// What the segments of a JPEG say, found without decoding it.
struct JpegStructure {
    int64_t width = 0, height = 0;
    Bytes exif;  // "Exif\0\0" + TIFF, or empty
    Bytes xmp;   // XML, or empty
};

// Walks the whole file and throws an Error that names it unless it is complete: every component has a scan,
// refined to the last bit where the JPEG is progressive, and the end marker is there. What is in a scan, only
// decoding shows.
JpegStructure walk_jpeg(Bytes bytes, const std::string& name);

}  // namespace lily::io
