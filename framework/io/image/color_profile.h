// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <vector>

#include "framework/io/image/raster.h"

namespace lily::io {

// Makes a decoded picture sRGB by its embedded profile, relative to white, with black-point compensation;
// grey stays grey, CMYK becomes RGB, and the profile is gone. A profile that is sRGB itself changes no pixel.
// One that is damaged or made for other samples is left out: CMYK stays then. A remark says what was done.
void apply_profile(Raster& raster);

// CIE 1931 chromaticities.
struct Chromaticity {
    double x = 0, y = 0;
};
struct Primaries {
    Chromaticity white, red, green, blue;
};
constexpr Primaries kSrgbPrimaries{{0.3127, 0.3290}, {0.64, 0.33}, {0.30, 0.60}, {0.15, 0.06}};
constexpr Primaries kAdobeRgbPrimaries{{0.3127, 0.3290}, {0.64, 0.33}, {0.21, 0.71}, {0.15, 0.06}};
constexpr double kAdobeRgbGamma = 563.0 / 256;
constexpr Primaries kDisplayP3Primaries{{0.3127, 0.3290}, {0.680, 0.320}, {0.265, 0.690}, {0.150, 0.060}};

// The ICC profile of a space that a file describes in numbers: light = sample ^ gamma, or sRGB's curve where
// gamma is 0. `model` is grey or rgb. Empty where the numbers make no colour space.
std::vector<std::byte> profile_of(ColourModel model, double gamma, const Primaries& primaries,
                                  const char* description);

// CIE L*a*b* relative to D50, three values a pixel (L* 0..100), to as many of sRGB in 16 bits.
void lab_to_srgb(const std::vector<float>& lab, uint16_t* rgb);

}  // namespace lily::io
