// SPDX-License-Identifier: MIT
// Pillow's resize, equal in every sample: what models that were trained behind it expect. For pictures that
// people look at, resize_image (framework/io/image_ops.h) averages light and knows what alpha is.
#pragma once

#include <cstdint>
#include <vector>

namespace lily::io {

// Samples (height, width, channels).
template <class T>
struct Samples {
    int width = 0, height = 0, channels = 0;
    std::vector<T> values;
};

// Image.resize with BICUBIC (Keys, a = -0.5), widened when it shrinks, stored values as they are, each
// channel alone: the rows first, rounded to T, then the columns. uint8_t by weights of 22 bits behind the
// point, uint16_t (mode I;16) in f64.
Samples<uint8_t> pillow_bicubic(const Samples<uint8_t>& picture, int width, int height);
Samples<uint16_t> pillow_bicubic(const Samples<uint16_t>& picture, int width, int height);

// Image.resize of pictures with a palette or of bits: the nearest sample.
Samples<uint8_t> pillow_nearest(const Samples<uint8_t>& picture, int width, int height);

}  // namespace lily::io
