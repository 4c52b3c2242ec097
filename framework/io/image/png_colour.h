// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "framework/io/image/color_profile.h"
#include "framework/io/image/raster.h"

namespace lily::io {

// What a PNG's chunks say of its colours in numbers, where it has no profile: by the PNG specification, cICP
// goes before iCCP, that before sRGB, that before gAMA and cHRM.
class PngColours {
  public:
    // Any chunk; takes those of colour.
    void note(std::string_view type, Bytes data);

    // A profile for what the chunks say, in place of the embedded one where they go first. None where that is
    // sRGB. Adds a remark where they say what is not known here.
    void describe(Raster& raster) const;

  private:
    bool has_profile_ = false, is_srgb_ = false;
    double gamma_ = 0;  // of light as a power of samples; 0: none given
    std::optional<Primaries> primaries_;
    std::vector<uint8_t> code_points_;  // cICP: primaries, transfer function, matrix, full range
};

}  // namespace lily::io
