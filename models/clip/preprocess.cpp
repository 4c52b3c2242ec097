// SPDX-License-Identifier: MIT
#include "models/clip/preprocess.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <utility>

#include "framework/error.h"
#include "framework/io/pillow_resize.h"

namespace lily::models {
namespace {

using io::ColourModel;
using io::Raster;
using Bytes8 = io::Samples<uint8_t>;

// (width, height) whose shorter side is `size`.
std::pair<int, int> scaled_sides(int width, int height, int size) {
    const int64_t shorter = std::min(width, height), longer = std::max(width, height);
    const int64_t scaled = size * longer / shorter;
    check(scaled <= INT_MAX / size, "[clip] a picture of {} x {} pixels is too long", width, height);
    return width <= height ? std::pair(size, static_cast<int>(scaled))
                           : std::pair(static_cast<int>(scaled), size);
}

// Half of what is left over, halves to even.
int margin(int side, int size) { return static_cast<int>(std::nearbyint((side - size) / 2.0)); }

// (v a) / 255, rounded.
uint8_t times_255th(int v, int a) {
    const int t = v * a + 128;
    return static_cast<uint8_t>(((t >> 8) + t) >> 8);
}

void multiply_by_alpha(Bytes8& picture) {
    const auto step = static_cast<size_t>(picture.channels);
    for (size_t i = 0; i < picture.values.size(); i += step)
        for (size_t c = 0; c + 1 < step; ++c)
            picture.values[i + c] = times_255th(picture.values[i + c], picture.values[i + step - 1]);
}

void divide_by_alpha(Bytes8& picture) {
    const auto step = static_cast<size_t>(picture.channels);
    for (size_t i = 0; i < picture.values.size(); i += step) {
        const int alpha = picture.values[i + step - 1];
        for (size_t c = 0; c + 1 < step && alpha > 0; ++c)
            picture.values[i + c] = static_cast<uint8_t>(std::min(255 * picture.values[i + c] / alpha, 255));
    }
}

// 8 bits of each sample: of 16 the upper ones.
Bytes8 upper_bytes(const Raster& picture) {
    Bytes8 bytes{picture.width, picture.height, picture.samples(), picture.samples8};
    for (const uint16_t v : picture.samples16) bytes.values.push_back(static_cast<uint8_t>(v >> 8));
    return bytes;
}

// Scaled in the picture's own mode.
Bytes8 scaled(const Raster& picture, int width, int height) {
    if (picture.bits == 16 && picture.model == ColourModel::grey && !picture.has_alpha) {
        const io::Samples<uint16_t> deep =
            io::pillow_bicubic({picture.width, picture.height, 1, picture.samples16}, width, height);
        Bytes8 bytes{width, height, 1, {}};
        for (const uint16_t v : deep.values)
            bytes.values.push_back(static_cast<uint8_t>(std::min<int>(v, 255)));
        return bytes;
    }
    Bytes8 bytes = upper_bytes(picture);
    if (width == picture.width && height == picture.height) return bytes;
    if (picture.is_indexed) return io::pillow_nearest(bytes, width, height);
    if (picture.has_alpha) multiply_by_alpha(bytes);
    bytes = io::pillow_bicubic(bytes, width, height);
    if (picture.has_alpha) divide_by_alpha(bytes);
    return bytes;
}

// Red, green and blue of a pixel of such samples.
std::array<uint8_t, 3> rgb_of(const uint8_t* pixel, ColourModel model) {
    if (model == ColourModel::grey) return {pixel[0], pixel[0], pixel[0]};
    if (model == ColourModel::rgb) return {pixel[0], pixel[1], pixel[2]};
    const int light = 255 - pixel[3];
    const auto through = [&](uint8_t ink) {
        return static_cast<uint8_t>(std::max(light - times_255th(ink, light), 0));
    };
    return {through(pixel[0]), through(pixel[1]), through(pixel[2])};
}

}  // namespace

std::vector<uint8_t> clip_pixels(const Raster& picture, int size) {
    check(size >= 1 && size <= 8192, "[clip] expected pictures of 1 to 8192 pixels a side, got {}", size);
    const auto [width, height] = scaled_sides(picture.width, picture.height, size);
    const Bytes8 whole = scaled(picture, width, height);
    const int left = margin(width, size), top = margin(height, size);
    const auto side = static_cast<size_t>(size), plane = side * side;
    std::vector<uint8_t> pixels(3 * plane);
    for (size_t y = 0; y < side; ++y)
        for (size_t x = 0; x < side; ++x) {
            const size_t at =
                (y + static_cast<size_t>(top)) * static_cast<size_t>(width) + x + static_cast<size_t>(left);
            const auto rgb =
                rgb_of(whole.values.data() + at * static_cast<size_t>(whole.channels), picture.model);
            for (size_t c = 0; c < 3; ++c) pixels[c * plane + y * side + x] = rgb[c];
        }
    return pixels;
}

std::vector<uint8_t> load_clip_pixels(const std::string& path, int size, io::ImageOptions options) {
    options.ignore_colour_keys = true;
    return clip_pixels(io::load_raster(path, options), size);
}

void clip_normalize(const std::vector<uint8_t>& pixels, float* out) {
    const size_t plane = pixels.size() / 3;
    for (size_t c = 0; c < 3; ++c) {
        float values[256];
        for (int v = 0; v < 256; ++v)
            values[v] = (static_cast<float>(v) / 255.0F - kClipMean[c]) / kClipStd[c];
        for (size_t i = 0; i < plane; ++i) out[c * plane + i] = values[pixels[c * plane + i]];
    }
}

}  // namespace lily::models
