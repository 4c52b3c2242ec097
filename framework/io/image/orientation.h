// SPDX-License-Identifier: MIT
#pragma once

#include "framework/io/file.h"

namespace lily::io {

// Which way up a picture is, 1..8 in EXIF's numbering; 1 (upright) where nothing says so or it makes no
// sense. `exif`: "Exif\0\0" + TIFF as in a JPEG, or the bare TIFF; `xmp`: a packet of XML, asked where EXIF
// has no orientation. Either may be empty.
int stored_orientation(Bytes exif, Bytes xmp = {});

// Cameras that are set to Adobe RGB mostly embed no profile: EXIF says "uncalibrated", and names it by an
// interoperability index of R03 (DCF 2.0).
bool exif_says_adobe_rgb(Bytes exif);

}  // namespace lily::io
