// SPDX-License-Identifier: MIT
#include "framework/nn/layers.h"

#include <algorithm>
#include <cmath>

#include "framework/nn/init.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/dropout.h"
#include "framework/ops/embedding.h"
#include "framework/ops/shape.h"

namespace lily::nn {
namespace {

Tensor initial_weight(const Shape& shape, DType dtype, Init init) {
    Tensor weight = empty(shape, {.dtype = dtype});
    if (init) kaiming_uniform_(weight, std::sqrt(5), init.generator());
    return weight;
}

Tensor initial_bias(int64_t size, const Tensor& weight, Init init) {
    Tensor bias = empty({size}, {.dtype = weight.dtype()});
    if (!init) return bias;
    const int64_t inputs = fan_in(weight);
    const double bound = inputs > 0 ? 1 / std::sqrt(static_cast<double>(inputs)) : 0;
    uniform_(bias, -bound, bound, init.generator());
    return bias;
}

void check_groups(const char* layer, int64_t in, int64_t out, int64_t groups) {
    check(groups >= 1 && in % groups == 0 && out % groups == 0,
          "[{}] expected channels that are multiples of groups = {}, got {} and {}", layer, groups, in, out);
}

}  // namespace

Linear::Linear(int64_t in, int64_t out, Init init, Bias with_bias, DType dtype, LinearOptions linear_options)
    : weight(register_parameter("weight", initial_weight({out, in}, dtype, init))), options(linear_options) {
    if (with_bias == Bias::yes) bias = register_parameter("bias", initial_bias(out, weight, init));
}

Tensor Linear::forward(const Tensor& x) { return linear(x, weight, bias, options); }

Conv2d::Conv2d(int64_t in, int64_t out, KernelSize kernel, Init init, Conv2dOptions conv_options,
               Bias with_bias, DType dtype)
    : options(conv_options) {
    check_groups("Conv2d", in, out, options.groups);
    const Shape shape{out, in / options.groups, kernel.size[0], kernel.size[1]};
    weight = register_parameter("weight", initial_weight(shape, dtype, init));
    if (with_bias == Bias::yes) bias = register_parameter("bias", initial_bias(out, weight, init));
}

Tensor Conv2d::forward(const Tensor& x) { return conv2d(x, weight, bias, options); }

ConvTranspose2d::ConvTranspose2d(int64_t in, int64_t out, KernelSize kernel, Init init,
                                 ConvTranspose2dOptions conv_options, Bias with_bias, DType dtype)
    : options(conv_options) {
    check_groups("ConvTranspose2d", in, out, options.groups);
    for (size_t i = 0; i < 2; ++i)
        check(options.output_padding[i] >= 0 &&
                  options.output_padding[i] < std::max(options.stride[i], options.dilation[i]),
              "[ConvTranspose2d] expected 0 <= output_padding < stride or dilation, got {}, {} and {}",
              options.output_padding[i], options.stride[i], options.dilation[i]);
    const Shape shape{in, out / options.groups, kernel.size[0], kernel.size[1]};
    weight = register_parameter("weight", initial_weight(shape, dtype, init));
    if (with_bias == Bias::yes) bias = register_parameter("bias", initial_bias(out, weight, init));
}

Tensor ConvTranspose2d::forward(const Tensor& x) { return conv_transpose2d(x, weight, bias, options); }

Dropout::Dropout(Generator& generator, double probability) : p(probability), generator_(generator) {
    check(p >= 0 && p <= 1, "[Dropout] expected p in [0, 1], got {}", p);
}

Tensor Dropout::forward(const Tensor& x) { return dropout(x, generator_, p, is_training()); }

Embedding::Embedding(int64_t rows, int64_t width, Init init, DType dtype)
    : weight(register_parameter("weight", init ? randn({rows, width}, init.generator(), {.dtype = dtype})
                                               : empty({rows, width}, {.dtype = dtype}))) {}

Tensor Embedding::forward(const Tensor& index) { return embedding(index, weight); }

}  // namespace lily::nn
