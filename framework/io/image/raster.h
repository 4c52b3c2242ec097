// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "framework/io/image.h"

namespace lily::io {

// What the colour samples of a pixel mean. cmyk: 0 is no ink, the largest value is full ink.
enum class ColourModel { grey, rgb, cmyk };

constexpr int colour_samples(ColourModel model) {
    return model == ColourModel::grey ? 1 : model == ColourModel::rgb ? 3 : 4;
}

// A picture as a decoder hands it over: as it is stored. Profile, orientation and depth are dealt with after
// decoding, in one place for all formats. A decoder is `Raster decode_FORMAT(Bytes, name, limits…)`.
struct Raster {
    int width = 0, height = 0;
    ColourModel model = ColourModel::rgb;
    bool has_alpha = false;           // the last sample of a pixel; colours are not multiplied by it
    int bits = 8;                     // per sample, 8 or 16: which of the two below is filled
    std::vector<uint8_t> samples8;    // (height, width, samples())
    std::vector<uint16_t> samples16;  // the same
    bool is_indexed = false;          // was a palette's entries, or bits: nothing lies between two values
    std::vector<std::byte> profile;   // an ICC profile as embedded; empty: none
    int orientation = 1;              // EXIF's 1..8, how to turn it upright
    // A reduced picture stands for these sides of the full one divided by the factor, a fraction (1001 at
    // 1/8: 125.125 where width is 126). A resize takes its box from here. 0: width and height themselves.
    double exact_width = 0, exact_height = 0;
    int full_width = 0, full_height = 0;  // of the whole picture where this one is reduced
    std::vector<std::string> remarks;     // for the user, a line each: what was left out or assumed

    int samples() const { return colour_samples(model) + (has_alpha ? 1 : 0); }
};

// The picture as its file has it: neither reduced, turned upright nor converted by its profile.
Raster load_raster(const std::string& path, const ImageOptions& options = {});
Raster decode_raster(Bytes bytes, const std::string& name, const ImageOptions& options = {});

}  // namespace lily::io
