// SPDX-License-Identifier: MIT
#include "framework/io/image/pixels.h"

#include <utility>

#include "framework/io/image/color_profile.h"
#include "framework/io/image_ops.h"

namespace lily::io {
namespace {

// Inks on white without a profile: what ink c and black leave of the light, (1 - c) (1 - k).
template <class T>
void inks_to_rgb(std::vector<T>& samples, bool has_alpha) {
    constexpr uint64_t kFull = static_cast<T>(~T{0});
    const size_t from_step = has_alpha ? 5 : 4;
    size_t to = 0;
    for (size_t from = 0; from < samples.size(); from += from_step) {
        const uint64_t light = kFull - samples[from + 3];
        for (size_t c = 0; c < 3; ++c)
            samples[to++] = static_cast<T>(((kFull - samples[from + c]) * light + kFull / 2) / kFull);
        if (has_alpha) samples[to++] = samples[from + 4];
    }
    samples.resize(to);
}

std::vector<uint8_t> to_8_bits(const std::vector<uint16_t>& samples) {
    std::vector<uint8_t> bytes(samples.size());
    for (size_t i = 0; i < samples.size(); ++i)
        bytes[i] = static_cast<uint8_t>((samples[i] + 128U) / 257U);  // 65535 = 257 * 255, rounded
    return bytes;
}

// Where the box of a stored picture is in the upright one.
Box upright_box(const Raster& raster) {
    const double width = raster.exact_width > 0 ? raster.exact_width : raster.width;
    const double height = raster.exact_height > 0 ? raster.exact_height : raster.height;
    const int o = raster.orientation;
    const double x = o == 2 || o == 3 || o == 6 || o == 7 ? 1 : 0;  // 1: the partial column is the first
    const double y = o == 3 || o == 4 || o == 7 || o == 8 ? 1 : 0;
    const bool swaps = o >= 5;
    const double w = swaps ? height : width;
    const double h = swaps ? width : height;
    const double left = x * ((swaps ? raster.height : raster.width) - w);
    const double top = y * ((swaps ? raster.width : raster.height) - h);
    return {left, top, left + w, top + h};
}

}  // namespace

void drop_alpha_if_opaque(Raster& raster) {
    std::vector<uint8_t>& samples = raster.samples8;
    for (size_t i = 3; i < samples.size(); i += 4)
        if (samples[i] != 255) return;
    size_t to = 0;
    for (size_t i = 0; i < samples.size(); ++i)
        if (i % 4 != 3) samples[to++] = samples[i];
    samples.resize(to);
    raster.has_alpha = false;
}

ReducedImage to_srgb_image(Raster& raster) {
    apply_profile(raster);  // while there are 16 bits: wide profiles stretch them
    if (raster.model == ColourModel::cmyk) {
        raster.bits == 16 ? inks_to_rgb(raster.samples16, raster.has_alpha)
                          : inks_to_rgb(raster.samples8, raster.has_alpha);
        raster.model = ColourModel::rgb;
    }
    Image image;
    image.width = raster.width, image.height = raster.height, image.channels = raster.samples();
    image.pixels = raster.bits == 16 ? to_8_bits(raster.samples16) : std::move(raster.samples8);

    ReducedImage reduced;
    reduced.box = upright_box(raster);
    reduced.width = raster.full_width > 0 ? raster.full_width : raster.width;
    reduced.height = raster.full_height > 0 ? raster.full_height : raster.height;
    if (raster.orientation >= 5) std::swap(reduced.width, reduced.height);
    reduced.image = upright(std::move(image), raster.orientation);
    return reduced;
}

}  // namespace lily::io
