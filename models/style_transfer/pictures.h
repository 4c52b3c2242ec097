// SPDX-License-Identifier: MIT
// From files to the tensors that style transfer works on, and back to a picture that a person looks at.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "framework/io/image.h"
#include "framework/tensor.h"
#include "models/style_transfer/matte.h"

namespace lily::models {

// A picture ready for the network.
struct Picture {
    io::Image rgb;    // resized, alpha taken off: the colours of what is painted there, not mixed with white
    io::Image alpha;  // of the same size; width 0 if there is none
    Matte matte;      // of alpha
    Tensor input;     // (1,3,H,W), normalised for Vgg19: what is seen on white
    std::vector<std::string> remarks;  // of the file, for the user: a line each

    io::Image with_alpha() const;  // RGB, or RGBA
};

// Reads a picture and shrinks or enlarges it so that its longer side is `size` pixels (0: as it is). Grey
// becomes RGB. `accept` may throw when the width and height are known, before that size is built.
using AcceptSize = std::function<void(int width, int height)>;
Picture load_picture(const std::string& path, int size, const AcceptSize& accept = {});

// What of a picture matters to a run: a fingerprint of what is seen of it, and its size, "0123…cdef 48x36".
std::string picture_setting(const Picture& picture);
// Two such settings of option `name`, now and then, in words for the user; an io::Checkpoint::Difference.
std::string picture_difference(const std::string& name, const std::string& now, const std::string& then);

enum class Init { content, style, noise };

// Where the optimisation starts: the content, the style (on white) scaled to the content's size, or noise
// N(0,1)/10 from `seed`. Colours without the content's alpha: content.matte puts them on white.
Tensor initial_image(Init init, const Picture& content, const Picture& style, uint64_t seed);

// The optimised tensor as a picture: denormalised, with the content's alpha, and its colours if asked for.
io::Image finished_picture(const Tensor& image, const Picture& content, bool preserve_color);

// Width and height of the sheet below; throws if that is too large.
std::pair<int, int> sheet_size(const Picture& content, const std::vector<Picture>& styles);
// content | style … | result, in a row.
io::Image comparison_sheet(const Picture& content, const std::vector<Picture>& styles,
                           const io::Image& result);

}  // namespace lily::models
