// SPDX-License-Identifier: MIT
// Layers with weights. They start as PyTorch's do: uniform in ±1/√fan_in, the bias too. `init`: a Generator,
// or skip_init.
#pragma once

#include <array>

#include "framework/nn/init.h"
#include "framework/nn/module.h"
#include "framework/ops/conv2d.h"
#include "framework/ops/conv_transpose2d.h"
#include "framework/ops/linear.h"
#include "framework/random.h"

namespace lily::nn {

enum class Bias : bool { no, yes };

// x (…,in) -> (…,out); weight (out,in), bias (out). options.weight_scale changes no initial value.
class Linear final : public Module {
  public:
    Linear(int64_t in, int64_t out, Init init, Bias with_bias = Bias::yes, DType dtype = DType::f32,
           LinearOptions options = {});
    Tensor forward(const Tensor& x) override;

    Tensor weight, bias;  // bias: undefined with Bias::no
    const LinearOptions options;
};

// A square or (height, width) size.
struct KernelSize {
    std::array<int64_t, 2> size;
    KernelSize(int64_t both) : size{both, both} {}
    KernelSize(int64_t height, int64_t width) : size{height, width} {}
};

// x (N,in,H,W) -> (N,out,OH,OW); weight (out,in/groups,R,S), bias (out)
class Conv2d final : public Module {
  public:
    Conv2d(int64_t in, int64_t out, KernelSize kernel, Init init, Conv2dOptions options = {},
           Bias with_bias = Bias::yes, DType dtype = DType::f32);
    Tensor forward(const Tensor& x) override;

    Tensor weight, bias;
    const Conv2dOptions options;
};

// The transpose of Conv2d: spreads each x over a kernel's window. x (N,in,H,W) -> (N,out,OH,OW),
// OH = (H − 1)·stride − 2·padding + dilation·(R − 1) + output_padding + 1; weight (in,out/groups,R,S),
// bias (out)
class ConvTranspose2d final : public Module {
  public:
    ConvTranspose2d(int64_t in, int64_t out, KernelSize kernel, Init init,
                    ConvTranspose2dOptions options = {}, Bias with_bias = Bias::yes,
                    DType dtype = DType::f32);
    Tensor forward(const Tensor& x) override;

    Tensor weight, bias;
    const ConvTranspose2dOptions options;
};

// dropout(x, generator, p) while training. The generator has to outlive the layer; its state is part of a
// checkpoint.
class Dropout final : public Module {
  public:
    explicit Dropout(Generator& generator, double p = 0.5);
    Tensor forward(const Tensor& x) override;

    const double p;

  private:
    Generator& generator_;
};

// index (…), i64 in [0, rows) -> (…,width); weight (rows,width), normal with variance 1
class Embedding final : public Module {
  public:
    Embedding(int64_t rows, int64_t width, Init init, DType dtype = DType::f32);
    Tensor forward(const Tensor& index) override;

    Tensor weight;
};

}  // namespace lily::nn
