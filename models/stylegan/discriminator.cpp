// SPDX-License-Identifier: MIT
#include "models/stylegan/discriminator.h"

#include <algorithm>

#include "framework/ops.h"

namespace lily::models {
namespace {

Tensor bent(const Tensor& x) { return leaky_relu(x, kSlope); }

}  // namespace

Tensor minibatch_stddev(const Tensor& x, int64_t group) {
    constexpr double kEps = 1e-8;
    const int64_t n = x.size(0), in_group = std::min(group, n), groups = n / in_group;
    check(groups * in_group == n, "[minibatch_stddev] expected a multiple of {} pictures, got {}", group, n);
    const Tensor members = x.contiguous().reshape({in_group, groups, -1});
    const Tensor difference = members - mean(members, {0}, true);
    const Tensor deviation = sqrt(mean(difference * difference, {0}) + kEps);  // (groups,CHW)
    const Tensor of_group = mean(deviation, {1}).reshape({1, groups, 1, 1, 1});
    const Tensor map = expand(of_group, {in_group, groups, 1, x.size(2), x.size(3)});
    return cat({x, map.reshape({n, 1, x.size(2), x.size(3)})}, 1);
}

DiscriminatorBlock::DiscriminatorBlock(int64_t in, int64_t out, nn::Init init, DType dtype)
    : conv0_(in, in, 3, init, ConvBias::yes, {.dtype = dtype}),
      conv1_(in, out, 3, init, ConvBias::yes, {.dtype = dtype}) {
    register_module("conv0", conv0_);
    register_module("conv1", conv1_);
}

Tensor DiscriminatorBlock::forward(const Tensor& x) {
    const Tensor h = blur(bent(conv0_.forward(x)));
    return bent(avg_pool2d(conv1_.forward(h), 2));
}

StyleDiscriminator::StyleDiscriminator(const StyleGanOptions& o, nn::Init init)
    : options_((check_options(o), o)),
      conv_(o.features(0) + (o.stddev_group > 0 ? 1 : 0), o.features(0), 3, init, ConvBias::yes,
            {.dtype = o.dtype}),
      dense0_(o.features(0) * 16, o.features(-1), init, {.dtype = o.dtype}),
      dense1_(o.features(-1), std::max<int64_t>(o.classes, 1), init, {.gain = 1, .dtype = o.dtype}) {
    register_module("from_rgb", from_rgb_);
    register_module("blocks", blocks_);
    register_module("conv", conv_);
    register_module("dense0", dense0_);
    register_module("dense1", dense1_);
    for (int64_t i = 0; i < o.blocks(); ++i)
        from_rgb_.add(o.channels, o.features(i), 1, init, ConvBias::yes, EqualOptions{.dtype = o.dtype});
    for (int64_t i = 1; i < o.blocks(); ++i) blocks_.add(o.features(i), o.features(i - 1), init, o.dtype);
}

Tensor StyleDiscriminator::from_picture(int64_t block, const Tensor& pictures) {
    return bent(from_rgb_[static_cast<size_t>(block)].forward(pictures));
}

Tensor StyleDiscriminator::judge(const Tensor& pictures, const Tensor& labels, Growth growth) {
    const int64_t side = growth.resolution, last = growth.last_block();
    check(pictures.rank() == 4 && pictures.size(1) == options_.channels && pictures.size(2) == side &&
              pictures.size(3) == side && last >= 0 && last < options_.blocks(),
          "[stylegan] expected pictures (N,{},{},{}), got {}", options_.channels, side, side,
          pictures.shape());
    check(labels.defined() == (options_.classes > 0), "[stylegan] expected {}",
          options_.classes > 0 ? "a class for each picture" : "no classes: the model has none");
    Tensor x = from_picture(last, pictures);
    for (int64_t i = last; i >= 1; --i) {
        x = blocks_[static_cast<size_t>(i - 1)].forward(x);
        if (i == last && growth.alpha < 1)
            x = from_picture(i - 1, avg_pool2d(pictures, 2)) * (1 - growth.alpha) + x * growth.alpha;
    }
    if (options_.stddev_group > 0) x = minibatch_stddev(x, options_.stddev_group);
    x = bent(conv_.forward(x)).contiguous().flatten(1);
    x = dense1_.forward(bent(dense0_.forward(x)));
    if (!labels.defined()) return x.reshape({x.size(0)});
    const Tensor classes = arange(options_.classes, {.dtype = DType::i64, .device = x.device()});
    const Tensor of_class = eq(labels.reshape({-1, 1}), classes);  // (N,classes), 1 where it is the picture's
    return sum(where(of_class, x, zeros_like(x)), {1});
}

}  // namespace lily::models
