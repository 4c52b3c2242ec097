// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>

#include "framework/io/image.h"

namespace lily::io {

// What all decoders check of a header before they allocate; each throws an Error that names the file.

// Sides of at least one pixel, and at most options.max_pixels of them.
void check_sides(const std::string& name, int64_t width, int64_t height, const ImageOptions& options);

// For decoders that read row by row: by what to divide both sides while reading. 1 for at most
// options.max_pixels; above, up to options.max_reduced_pixels, what leaves twice the sides that are needed.
int reduction(const std::string& name, int64_t width, int64_t height, const ImageOptions& options);

}  // namespace lily::io
