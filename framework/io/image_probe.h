// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>

#include "framework/io/file.h"

namespace lily::io {

enum class ImageFormat { kPng, kJpeg, kBmp, kTga };

struct ImageHeader {
    ImageFormat format = ImageFormat::kPng;
    int64_t width = 0, height = 0;
    Bytes exif = {};  // "Exif\0\0" + TIFF of a JPEG, the bare TIFF of a PNG, or empty
};

// What a picture file says of itself, found without decoding it; and the proof that the file is all there.
// Decoders are lenient (stb_image turns a cut JPEG into a half-grey picture), so this walks the whole
// structure: PNG chunks with their checksums up to IEND, JPEG segments up to the end marker, BMP and TGA
// sizes. Throws Error naming `name`.
ImageHeader probe_image(Bytes bytes, const std::string& name);

// The EXIF orientation, 1..8; 1 (upright) when there is none or it makes no sense.
int exif_orientation(Bytes exif);

}  // namespace lily::io
