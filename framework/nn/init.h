// SPDX-License-Identifier: MIT
// Random initial values, in place.
#pragma once

#include "framework/random.h"

namespace lily::nn {

// Where a layer's first weights come from: a generator, or nowhere. A layer of skip_init has memory for its
// weights and nothing in it: for weights that are loaded next, at once and without drawing a number.
struct SkipInit {};
inline constexpr SkipInit skip_init;
class Init {
  public:
    Init(Generator& generator) : generator_(&generator) {}
    Init(SkipInit) {}
    explicit operator bool() const { return generator_ != nullptr; }
    Generator& generator() const { return *generator_; }

  private:
    Generator* generator_ = nullptr;
};

void uniform_(Tensor& x, double low, double high, Generator& generator);
void normal_(Tensor& x, double mean, double std, Generator& generator);

// Inputs that one output is computed from: weight (out, in, kernel...) -> in · kernel.
int64_t fan_in(const Tensor& weight);

// Uniform in ±gain √(3 / fan_in), gain = √(2 / (1 + a²)): keeps the variance through a leaky ReLU of slope a
// (He et al. 2015). a = √5 is what PyTorch's layers start from: ±1/√fan_in.
void kaiming_uniform_(Tensor& weight, double a, Generator& generator);

}  // namespace lily::nn
