// SPDX-License-Identifier: MIT
// What the convolutions share: checks, shapes, and calls of the kernels without a graph. Included by
// framework/ops/*.cpp only.
#pragma once

#include "framework/autograd.h"
#include "framework/ops/conv2d.h"
#include "kernels/conv2d/conv2d.h"

namespace lily::conv2d_common {

using kernels::Conv2dPass;
using kernels::Conv2dShape;

// Throw "[op] …" where they must.
void check_options(const char* op, const Conv2dOptions& options);
void check_operands(const char* op, const char* a_name, const Tensor& a, const char* b_name, const Tensor& b);
// Of a forward pass, with all its checks; bias may be undefined. In inference by_map.
Conv2dShape checked_shape(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                          const Conv2dOptions& options);
Conv2dShape shape_of(const Shape& x, const Shape& weight, const Conv2dOptions& options);

// The format of activations that have this layout around a kernel (the other way round: channel_block).
MemoryFormat format_of(int64_t layout);

// y of one of the forward passes. index: null, or where the places of the maxima go, u8 in y's order.
Tensor forward(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dShape& shape,
               Conv2dPass pass, Tensor* index = nullptr);
// dx of one of the backward data passes; y and index as the pass asks for them. Where sum is defined and the
// kernel can, dx is added to it and it is the result.
Tensor backward_data(const Tensor& dy, const Tensor& y, const Tensor& index, const Tensor& weight,
                     const Conv2dShape& shape, Conv2dPass pass, Tensor sum = {});

// conv2d_backward_data as part of a backward pass, where n may have a say in the algorithm.
Tensor input_gradient(const Tensor& dy, const Tensor& weight, std::array<int64_t, 2> input_size,
                      const Conv2dOptions& options, bool by_map = false);

// What the gradients of a convolution need from its forward pass.
struct Operands {
    Saved x, weight;
    Shape x_shape, weight_shape;
    MemoryFormat x_format;
    Conv2dOptions options;

    Operands(const Tensor& x, const Tensor& weight, const Conv2dOptions& options);
    Conv2dShape shape() const { return shape_of(x_shape, weight_shape, options); }
    // of y = conv2d(x, weight, bias), written with ops
    Gradients gradients(const Backward& g, const Tensor& dy) const;
};

}  // namespace lily::conv2d_common
