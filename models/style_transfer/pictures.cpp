// SPDX-License-Identifier: MIT
#include "models/style_transfer/pictures.h"

#include <algorithm>
#include <tuple>

#include "framework/autograd.h"
#include "framework/io/checkpoint.h"
#include "framework/io/fingerprint.h"
#include "framework/io/image_ops.h"
#include "framework/io/image_tensor.h"
#include "framework/ops/arithmetic.h"
#include "framework/random.h"
#include "models/vgg19/vgg19.h"

namespace lily::models {

Picture load_picture(const std::string& path, int size, const AcceptSize& accept) {
    Picture picture;
    io::ReducedImage read = io::load_reduced_image(path, {.longest_side = size, .remarks = &picture.remarks});
    read.image = io::grey_to_rgb(read.image);
    const auto [width, height] = io::fit_longest_side(read.width, read.height, size);
    if (accept) accept(width, height);
    std::tie(picture.rgb, picture.alpha) = io::split_alpha(io::resize_image(read, width, height));
    picture.matte = Matte(picture.alpha);
    picture.input = picture.matte(to_network_input(io::to_tensor(picture.rgb)));
    return picture;
}

io::Image Picture::with_alpha() const { return io::attach_alpha(rgb, alpha); }

std::string picture_setting(const Picture& picture) {
    std::string print = io::fingerprint(picture.input);
    if (picture.matte.opacity().defined()) print += "-" + io::fingerprint(picture.matte.opacity());
    return fmt::format("{} {}x{}", print, picture.rgb.width, picture.rgb.height);
}

// In words: "0123456789abcdef 48x36" means little to a reader.
std::string picture_difference(const std::string& name, const std::string& now, const std::string& then) {
    if (now == then) return "";
    if (then == io::Checkpoint::kNotSet) return name + " is one more";
    if (now == io::Checkpoint::kNotSet) return name + " is missing";
    const auto size_of = [](const std::string& text) {
        return text.substr(std::min(text.find(' ') + 1, text.size()));
    };
    const std::string size = size_of(now), size_then = size_of(then);
    if (size == size_then) return name + " is another picture";
    return fmt::format("{} has {} pixels (was {}): pass the same picture and {}", name, size, size_then,
                       name == "--content" ? "--size" : "--style-size");
}

Tensor initial_image(Init init, const Picture& content, const Picture& style, uint64_t seed) {
    switch (init) {
        case Init::content:
            break;
        case Init::style:
            return to_network_input(io::to_tensor(
                io::resize_image(io::on_white(style.with_alpha()), content.rgb.width, content.rgb.height)));
        case Init::noise: {  // faint: what Adam's small steps leave of it is seen in the result
            Generator generator(seed);
            return randn(content.input.shape(), generator) * 0.1;
        }
    }
    return to_network_input(io::to_tensor(content.rgb));
}

io::Image finished_picture(const Tensor& image, const Picture& content, bool preserve_color) {
    const NoGrad no_grad;
    io::Image result = io::to_image(from_network_input(image.detach()));
    if (preserve_color) result = io::preserve_color(content.rgb, result);
    return io::attach_alpha(result, content.alpha);
}

namespace {

constexpr int kGap = 8;

}  // namespace

std::pair<int, int> sheet_size(const Picture& content, const std::vector<Picture>& styles) {
    const auto size = [](const Picture& p) { return std::pair(p.rgb.width, p.rgb.height); };
    std::vector<std::pair<int, int>> row = {size(content)};
    for (const Picture& style : styles) row.push_back(size(style));
    row.push_back(size(content));
    return io::size_side_by_side(row, kGap);
}

io::Image comparison_sheet(const Picture& content, const std::vector<Picture>& styles,
                           const io::Image& result) {
    std::vector<io::Image> row = {content.with_alpha()};
    for (const Picture& style : styles) row.push_back(style.with_alpha());
    row.push_back(result);
    return io::side_by_side(row, kGap);
}

}  // namespace lily::models
