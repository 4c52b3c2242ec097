// SPDX-License-Identifier: MIT
#include "framework/ops/conv_transpose2d.h"

#include <algorithm>

#include "framework/ops/arithmetic.h"
#include "framework/ops/conv2d.h"
#include "framework/ops/pad.h"
#include "framework/ops/shape.h"

namespace lily {

Tensor conv_transpose2d(const Tensor& x, const Tensor& weight, const Tensor& bias, ConvTranspose2dOptions o) {
    constexpr const char* op = "conv_transpose2d";
    check(x.rank() == 4, "[{}] expected x of rank 4, got {}", op, x.shape());
    check(weight.rank() == 4 && weight.numel() > 0, "[{}] expected a weight (C,K/groups,R,S), got {}", op,
          weight.shape());
    check(o.groups >= 1 && weight.size(0) % o.groups == 0,
          "[{}] {} input channels do not divide into {} groups", op, weight.size(0), o.groups);
    check(x.size(1) == weight.size(0), "[{}] weight expects {} input channels, got x {}", op, weight.size(0),
          x.shape());
    const int64_t channels = weight.size(1) * o.groups;
    check(!bias.defined() || bias.shape() == Shape{channels}, "[{}] expected a bias ({}), got {}", op,
          channels, bias.defined() ? bias.shape() : Shape{});
    check(x.size(2) > 0 && x.size(3) > 0, "[{}] x {} is empty", op, x.shape());
    std::array<int64_t, 2> size{};
    for (size_t axis = 0; axis < 2; ++axis) {
        check(o.stride[axis] >= 1 && o.padding[axis] >= 0 && o.dilation[axis] >= 1,
              "[{}] expected stride >= 1, padding >= 0, dilation >= 1, got ({}), ({}), ({})", op,
              fmt::join(o.stride, ","), fmt::join(o.padding, ","), fmt::join(o.dilation, ","));
        check(o.output_padding[axis] >= 0 &&
                  o.output_padding[axis] < std::max(o.stride[axis], o.dilation[axis]),
              "[{}] expected 0 <= output_padding < stride or dilation, got ({}), ({}) and ({})", op,
              fmt::join(o.output_padding, ","), fmt::join(o.stride, ","), fmt::join(o.dilation, ","));
        const int64_t dim = static_cast<int64_t>(axis) + 2;
        size[axis] = (x.size(dim) - 1) * o.stride[axis] - 2 * o.padding[axis] +
                     o.dilation[axis] * (weight.size(dim) - 1) + o.output_padding[axis] + 1;
    }
    check(size[0] > 0 && size[1] > 0, "[{}] padding ({}) leaves nothing of the result of x {}", op,
          fmt::join(o.padding, ","), x.shape());
    // A whole stride of output padding is a position more of x, a zero: as a convolution's gradient the
    // result can have less than a stride of it.
    const std::array<int64_t, 2> more{o.output_padding[0] / o.stride[0], o.output_padding[1] / o.stride[1]};
    const Tensor source = more[0] + more[1] == 0 ? x : pad(x, {0, more[1], 0, more[0]});
    const Tensor y = conv2d_backward_data(source, weight, size,
                                          {.stride = o.stride,
                                           .padding = o.padding,
                                           .dilation = o.dilation,
                                           .groups = o.groups,
                                           .weight_scale = o.weight_scale});
    return bias.defined() ? y + reshape(bias, {1, channels, 1, 1}) : y;
}

}  // namespace lily
