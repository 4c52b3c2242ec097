// SPDX-License-Identifier: MIT
#include "framework/nn/init.h"

#include <cmath>

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"

namespace lily::nn {

void uniform_(Tensor& x, double low, double high, Generator& generator) {
    check(low <= high, "[uniform_] expected low <= high, got {} and {}", low, high);
    const NoGrad no_grad;
    x.copy_(affine(rand(x.shape(), generator, x.options()), high - low, low));
}

void normal_(Tensor& x, double mean, double std, Generator& generator) {
    check(std >= 0, "[normal_] expected std >= 0, got {}", std);
    const NoGrad no_grad;
    x.copy_(affine(randn(x.shape(), generator, x.options()), std, mean));
}

int64_t fan_in(const Tensor& weight) {
    check(weight.rank() >= 2, "[fan_in] expected (out,in,...), got {}", weight.shape());
    int64_t inputs = 1;
    for (int64_t i = 1; i < weight.rank(); ++i) inputs *= weight.size(i);
    return inputs;
}

void kaiming_uniform_(Tensor& weight, double a, Generator& generator) {
    const int64_t inputs = fan_in(weight);
    if (inputs == 0) return;
    const double gain = std::sqrt(2 / (1 + a * a));
    const double bound = gain * std::sqrt(3 / static_cast<double>(inputs));
    uniform_(weight, -bound, bound, generator);
}

}  // namespace lily::nn
