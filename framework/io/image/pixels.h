// SPDX-License-Identifier: MIT
#pragma once

#include "framework/io/image.h"
#include "framework/io/image/raster.h"

namespace lily::io {

// Takes the alpha off 8-bit RGBA whose every pixel is opaque: decoders of animations always give one.
void drop_alpha_if_opaque(Raster& raster);

// What a decoder read, as sRGB or grey of 8 bits, upright: the second half of reading any format. Adds to the
// raster's remarks.
ReducedImage to_srgb_image(Raster& raster);

}  // namespace lily::io
