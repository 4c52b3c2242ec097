// SPDX-License-Identifier: MIT
#include "framework/data/transforms.h"

#include <algorithm>
#include <cmath>

#include "framework/error.h"
#include "framework/io/image_ops.h"

namespace lily::data {

io::ReducedImage crop_to_shape(io::ReducedImage picture, int64_t width, int64_t height) {
    const auto wide = static_cast<double>(picture.width) * static_cast<double>(height);
    const auto tall = static_cast<double>(picture.height) * static_cast<double>(width);
    io::Box& box = picture.box;
    if (wide > tall) {
        const double extent = box.right - box.left, cut = (extent - extent * tall / wide) / 2;
        box.left += cut, box.right -= cut;
        picture.width = std::max(1, static_cast<int>(std::lround(picture.width * tall / wide)));
    } else {
        const double extent = box.bottom - box.top, cut = (extent - extent * wide / tall) / 2;
        box.top += cut, box.bottom -= cut;
        picture.height = std::max(1, static_cast<int>(std::lround(picture.height * wide / tall)));
    }
    return picture;
}

io::Image to_channels(const io::Image& picture, int64_t channels) {
    check(channels == 1 || channels == 3, "[to_channels] expected 1 or 3 channels, got {}", channels);
    io::Image image = picture.has_alpha() ? io::on_white(picture) : picture;
    if (image.channels == channels) return image;
    if (channels == 3) return io::grey_to_rgb(image);
    io::Image grey(image.width, image.height, 1);
    for (size_t i = 0; i < grey.pixels.size(); ++i) {
        const uint8_t* rgb = image.pixels.data() + 3 * i;
        grey.pixels[i] = static_cast<uint8_t>((299 * rgb[0] + 587 * rgb[1] + 114 * rgb[2] + 500) / 1000);
    }
    return grey;
}

std::vector<uint8_t> to_shape(io::ReducedImage picture, const io::PictureSize& size, Fit fit) {
    // On white before it is scaled, so that no colour of a transparent pixel comes through.
    if (picture.image.has_alpha()) picture.image = io::on_white(picture.image);
    if (fit == Fit::crop) picture = crop_to_shape(std::move(picture), size.width, size.height);
    const io::Image image =
        to_channels(io::resize_image(picture, static_cast<int>(size.width), static_cast<int>(size.height)),
                    size.channels);
    if (size.channels == 1) return image.pixels;
    const auto positions = static_cast<size_t>(size.height * size.width);
    std::vector<uint8_t> planes(image.pixels.size());
    for (size_t p = 0; p < positions; ++p)
        for (size_t c = 0; c < 3; ++c) planes[c * positions + p] = image.pixels[3 * p + c];
    return planes;
}

}  // namespace lily::data
