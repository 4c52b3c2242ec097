// SPDX-License-Identifier: MIT
#pragma once

#include <utility>
#include <vector>

#include "framework/io/image.h"

namespace lily::io {

// Antialiased resize (Mitchell filter when shrinking, Catmull-Rom when growing), weighted by alpha.
// Shrinking averages light (sRGB is decoded first), so that a fine black and white check becomes the grey
// that the eye sees in it; growing interpolates the stored values, which rings less at edges.
Image resize_image(const Image& image, int width, int height);
// The same for a picture that may have been reduced as it was read: from its box, not from whole pixels.
Image resize_image(const ReducedImage& reduced, int width, int height);

// (width, height) scaled so that the longer side is `longest`; 0 keeps the size.
std::pair<int, int> fit_longest_side(int width, int height, int longest);

// Turns a picture stored with an EXIF orientation (1..8) upright.
Image upright(Image image, int orientation);

Image grey_to_rgb(const Image& image);  // 1 -> 3, 2 -> 4 channels; RGB passes
Image on_white(const Image& image);     // composites on white, drops alpha: 2 -> 1, 4 -> 3 channels

// Colour and alpha apart; the alpha (1 channel) is empty, of width 0, where there is none.
std::pair<Image, Image> split_alpha(const Image& image);
// The reverse; `alpha` is resized to the picture; an empty one changes nothing.
Image attach_alpha(const Image& colour, const Image& alpha);

// The luminance of `result` with the colours of `content`: both in YIQ, Y from the one, I and Q from the
// other. Colours that leave [0,255] lose saturation, never luminance. Alpha and size are those of `result`.
Image preserve_color(const Image& content, const Image& result);

// Width and height of such pictures (width, height each) in a row, see below. Throws if that is too large.
std::pair<int, int> size_side_by_side(const std::vector<std::pair<int, int>>& sizes, int gap);

// The pictures in a row, as RGB on white, all scaled to the height of the last; `gap` pixels between them.
Image side_by_side(const std::vector<Image>& images, int gap);

}  // namespace lily::io
