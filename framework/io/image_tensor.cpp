// SPDX-License-Identifier: MIT
#include "framework/io/image_tensor.h"

#include <algorithm>
#include <cmath>

namespace lily::io {

Tensor to_tensor(const Image& image) {
    check(image.channels == 1 || image.channels == 3,
          "[to_tensor] expected a grey or RGB picture, got {} channels", image.channels);
    const int64_t c = image.channels, m = int64_t{image.width} * image.height;
    Tensor y = empty({1, c, image.height, image.width});
    float* planes = y.mutable_data<float>();
    for (int64_t k = 0; k < c; ++k)
        for (int64_t i = 0; i < m; ++i)
            planes[k * m + i] = static_cast<float>(image.pixels[static_cast<size_t>(i * c + k)]) / 255.0f;
    return y;
}

Image to_image(const Tensor& picture) {
    check(picture.rank() == 4 && picture.size(0) == 1 && (picture.size(1) == 1 || picture.size(1) == 3),
          "[to_image] expected (1,1,H,W) or (1,3,H,W), got {}", picture.shape());
    const Tensor planes = picture.detach().to(Device::cpu).contiguous();
    const float* data = planes.data<float>();
    const int64_t c = picture.size(1), m = picture.size(2) * picture.size(3);
    Image image(static_cast<int>(picture.size(3)), static_cast<int>(picture.size(2)), static_cast<int>(c));
    for (int64_t k = 0; k < c; ++k)
        for (int64_t i = 0; i < m; ++i)
            image.pixels[static_cast<size_t>(i * c + k)] =
                static_cast<uint8_t>(std::lround(std::clamp(data[k * m + i], 0.0f, 1.0f) * 255.0f));
    return image;
}

}  // namespace lily::io
