// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <vector>

#include "framework/io/image.h"

namespace lily::io {

inline constexpr int kMostColours = 256;

struct Colour {
    uint8_t red = 0, green = 0, blue = 0;
    bool operator==(const Colour&) const = default;
};

// The colours of an animation, one palette for all of its frames, so that what stays the same does not
// flicker: exact where there are at most 256 of them, else 256 by libimagequant, without dithering. Throws
// for more in a build without it, and for pictures that are neither grey nor RGB.
class Palette {
  public:
    explicit Palette(const std::vector<Image>& frames);
    ~Palette();
    Palette(const Palette&) = delete;
    Palette& operator=(const Palette&) = delete;

    const std::vector<Colour>& colours() const { return colours_; }
    // (H·W) of one of the frames: the colour of each pixel.
    std::vector<uint8_t> indices(const Image& frame) const;

  private:
    class Reduced;

    std::vector<Colour> colours_;
    std::unique_ptr<Reduced> reduced_;  // null: the colours are exact
};

// "2.17.0", or "" in a build without libimagequant.
std::string imagequant_version();

}  // namespace lily::io
