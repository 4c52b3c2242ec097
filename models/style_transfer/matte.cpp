// SPDX-License-Identifier: MIT
#include "models/style_transfer/matte.h"

#include "framework/io/image_tensor.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/shape.h"
#include "models/vgg19/vgg19.h"

namespace lily::models {

Matte::Matte(const io::Image& alpha) {
    if (alpha.width == 0) return;
    opacity_ = expand(io::to_tensor(alpha), {1, 3, alpha.height, alpha.width});
    white_ = to_network_input(ones(opacity_.shape())) * (1 - opacity_);
}

Tensor Matte::operator()(const Tensor& x) const { return opacity_.defined() ? x * opacity_ + white_ : x; }

Matte Matte::to(Device device) const {
    Matte there;
    if (opacity_.defined()) {
        there.opacity_ = opacity_.to(device);
        there.white_ = white_.to(device);
    }
    return there;
}

}  // namespace lily::models
