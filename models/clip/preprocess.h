// SPDX-License-Identifier: MIT
// From a picture's file to what CLIP's image tower reads, equal to the reference in every value: OpenAI's
// transform on Pillow's Image.open, which neither turns a picture upright nor converts its colours.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "framework/io/image/raster.h"
#include "framework/tensor.h"

namespace lily::models {

// Of the pictures that OpenAI trained with, in 0…1.
inline constexpr std::array<float, 3> kClipMean = {0.48145466F, 0.4578275F, 0.40821073F};
inline constexpr std::array<float, 3> kClipStd = {0.26862954F, 0.26130258F, 0.27577711F};

// The shorter side scaled to `size` (the longer to the whole part of size * longer / shorter) by Pillow's
// bicubic filter, the middle size x size pixels, RGB as Pillow's convert("RGB"): alpha is dropped, not put on
// white; grey of 16 bits is cut off at 255; pictures with a palette or of bits are scaled by their nearest
// pixel. Bytes (3, size, size).
std::vector<uint8_t> clip_pixels(const io::Raster& picture, int size);
// Of a file; pictures of more than options.max_pixels are refused.
std::vector<uint8_t> load_clip_pixels(const std::string& path, int size, io::ImageOptions options = {});

// (pixel / 255 - mean) / std, f32: (3, size, size) from such bytes, written to `out`.
void clip_normalize(const std::vector<uint8_t>& pixels, float* out);

}  // namespace lily::models
