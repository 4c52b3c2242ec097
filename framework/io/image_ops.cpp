// SPDX-License-Identifier: MIT
#include "framework/io/image_ops.h"

#include <algorithm>
#include <array>
#include <climits>
#include <cmath>

#include "framework/error.h"

#define STB_IMAGE_RESIZE_IMPLEMENTATION
#define STB_IMAGE_RESIZE_STATIC
#include <stb/stb_image_resize.h>

namespace lily::io {
namespace {

uint8_t to_byte(float value) { return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0F, 255.0F))); }

// Y of YIQ (Rec. 601).
float luminance(const float rgb[3]) { return 0.299F * rgb[0] + 0.587F * rgb[1] + 0.114F * rgb[2]; }

// `box`: the part of `image` to resize.
Image resize_box(const Image& image, const Box& box, int width, int height) {
    check(width > 0 && height > 0, "[resize_image] cannot resize to {} x {} pixels", width, height);
    check(static_cast<int64_t>(width) * height <= INT_MAX / 4, "[resize_image] {} x {} pixels are too many",
          width, height);
    const bool is_all = box.right - box.left == image.width && box.bottom - box.top == image.height;
    if (is_all && width == image.width && height == image.height) return image;
    Image resized(width, height, image.channels);
    const bool shrinks =
        static_cast<int64_t>(width) * height < static_cast<int64_t>(image.width) * image.height;
    const auto part_of = [](double at, int side) { return static_cast<float>(at / side); };
    const int alpha = image.has_alpha() ? image.channels - 1 : STBIR_ALPHA_CHANNEL_NONE;
    const int done = stbir_resize_region(
        image.pixels.data(), image.width, image.height, 0, resized.pixels.data(), width, height, 0,
        STBIR_TYPE_UINT8, image.channels, alpha, 0, STBIR_EDGE_CLAMP, STBIR_EDGE_CLAMP, STBIR_FILTER_DEFAULT,
        STBIR_FILTER_DEFAULT, shrinks ? STBIR_COLORSPACE_SRGB : STBIR_COLORSPACE_LINEAR, nullptr,
        part_of(box.left, image.width), part_of(box.top, image.height), part_of(box.right, image.width),
        part_of(box.bottom, image.height));
    check(done != 0, "[resize_image] not enough memory for {} x {} pixels", width, height);
    return resized;
}

}  // namespace

Image resize_image(const Image& image, int width, int height) {
    return resize_box(image, {0, 0, static_cast<double>(image.width), static_cast<double>(image.height)},
                      width, height);
}

Image resize_image(const ReducedImage& reduced, int width, int height) {
    return resize_box(reduced.image, reduced.box, width, height);
}

std::pair<int, int> fit_longest_side(int width, int height, int longest) {
    check(width > 0 && height > 0 && longest >= 0, "[fit_longest_side] cannot fit {} x {} into {} pixels",
          width, height, longest);
    if (longest == 0) return {width, height};
    const auto scaled = [&](int side) {
        const double exact = static_cast<double>(side) * longest / std::max(width, height);
        return std::max(1, static_cast<int>(std::lround(exact)));
    };
    return {scaled(width), scaled(height)};
}

Image upright(Image image, int orientation) {
    if (orientation <= 1 || orientation > 8) return image;
    // Orientations 5..8 swap the axes; then, in the upright picture, x or y runs backwards in the stored one.
    const bool swaps = orientation >= 5;
    const bool flips_x = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
    const bool flips_y = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
    Image out(swaps ? image.height : image.width, swaps ? image.width : image.height, image.channels);
    for (int y = 0; y < out.height; ++y) {
        for (int x = 0; x < out.width; ++x) {
            const int u = swaps ? y : x;
            const int v = swaps ? x : y;
            const uint8_t* from =
                image.at(flips_y ? image.height - 1 - v : v, flips_x ? image.width - 1 - u : u);
            std::copy_n(from, image.channels, out.at(y, x));
        }
    }
    return out;
}

Image grey_to_rgb(const Image& image) {
    if (image.channels >= 3) return image;
    Image out(image.width, image.height, image.channels + 2);
    for (size_t from = 0, to = 0; from < image.pixels.size(); from += static_cast<size_t>(image.channels)) {
        for (int c = 0; c < 3; ++c) out.pixels[to++] = image.pixels[from];
        if (image.has_alpha()) out.pixels[to++] = image.pixels[from + 1];
    }
    return out;
}

Image on_white(const Image& image) {
    if (!image.has_alpha()) return image;
    const int colours = image.channels - 1;
    Image out(image.width, image.height, colours);
    for (size_t from = 0, to = 0; from < image.pixels.size(); ++from) {
        const int alpha = image.pixels[from + static_cast<size_t>(colours)];
        for (int c = 0; c < colours; ++c, ++from)
            out.pixels[to++] =
                static_cast<uint8_t>((image.pixels[from] * alpha + 255 * (255 - alpha) + 127) / 255);
    }
    return out;
}

std::pair<Image, Image> split_alpha(const Image& image) {
    if (!image.has_alpha()) return {image, Image{}};
    const int colours = image.channels - 1;
    std::pair<Image, Image> parts(Image(image.width, image.height, colours),
                                  Image(image.width, image.height, 1));
    const uint8_t* from = image.pixels.data();
    uint8_t* colour = parts.first.pixels.data();
    for (uint8_t& alpha : parts.second.pixels) {
        colour = std::copy_n(from, colours, colour);
        alpha = from[colours];
        from += image.channels;
    }
    return parts;
}

Image attach_alpha(const Image& colour, const Image& alpha) {
    if (alpha.width == 0) return colour;
    check(!colour.has_alpha() && alpha.channels == 1,
          "[attach_alpha] expected 1 or 3 colour channels and 1 of alpha, got {} and {}", colour.channels,
          alpha.channels);
    const Image fitted = resize_image(alpha, colour.width, colour.height);
    Image out(colour.width, colour.height, colour.channels + 1);
    const uint8_t* from = colour.pixels.data();
    uint8_t* to = out.pixels.data();
    for (const uint8_t a : fitted.pixels) {
        to = std::copy_n(from, colour.channels, to);
        *to++ = a;
        from += colour.channels;
    }
    return out;
}

Image preserve_color(const Image& content, const Image& result) {
    const Image source = resize_image(grey_to_rgb(split_alpha(content).first), result.width, result.height);
    auto [colour, alpha] = split_alpha(result);
    colour = grey_to_rgb(colour);
    for (size_t i = 0; i < colour.pixels.size(); i += 3) {
        float of_content[3];
        float of_result[3];
        for (size_t c = 0; c < 3; ++c) {
            of_content[c] = source.pixels[i + c];
            of_result[c] = colour.pixels[i + c];
        }
        // RGB is linear in YIQ, so exchanging Y means adding the same to r, g and b: rgb = Y' + s (rgb - Y),
        // where s = 1 unless a channel would leave [0,255].
        const float y_content = luminance(of_content);
        const float y_result = luminance(of_result);
        float s = 1.0F;
        for (const float value : of_content) {
            const float chroma = value - y_content;
            if (y_result + chroma > 255.0F) s = std::min(s, (255.0F - y_result) / chroma);
            if (y_result + chroma < 0.0F) s = std::min(s, -y_result / chroma);
        }
        for (size_t c = 0; c < 3; ++c)
            colour.pixels[i + c] = to_byte(y_result + s * (of_content[c] - y_content));
    }
    return attach_alpha(colour, alpha);
}

namespace {

int width_at(int height, const std::pair<int, int>& size) {
    const double exact = static_cast<double>(size.first) * height / size.second;
    check(exact < INT_MAX / 4, "[side_by_side] a picture of {} x {} does not fit beside the others",
          size.first, size.second);
    return std::max(1, static_cast<int>(std::lround(exact)));
}

}  // namespace

std::pair<int, int> size_side_by_side(const std::vector<std::pair<int, int>>& sizes, int gap) {
    check(!sizes.empty() && gap >= 0, "[side_by_side] expected pictures and a gap >= 0, got {} and {}",
          sizes.size(), gap);
    const int height = sizes.back().second;
    int64_t width = static_cast<int64_t>(gap) * static_cast<int64_t>(sizes.size() - 1);
    for (const auto& size : sizes) width += width_at(height, size);
    check(width * height <= INT_MAX / 4, "[side_by_side] {} x {} pixels are too many", width, height);
    return {static_cast<int>(width), height};
}

Image side_by_side(const std::vector<Image>& images, int gap) {
    std::vector<std::pair<int, int>> sizes;
    for (const Image& image : images) sizes.emplace_back(image.width, image.height);
    const auto [width, height] = size_side_by_side(sizes, gap);
    std::vector<Image> scaled;
    for (const Image& image : images)
        scaled.push_back(grey_to_rgb(
            on_white(resize_image(image, width_at(height, {image.width, image.height}), height))));

    Image sheet(width, height, 3, 255);
    int left = 0;
    for (const Image& image : scaled) {
        for (int y = 0; y < height; ++y)
            std::copy_n(image.at(y, 0), static_cast<size_t>(image.width) * 3, sheet.at(y, left));
        left += image.width + gap;
    }
    return sheet;
}

}  // namespace lily::io
