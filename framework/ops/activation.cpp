// SPDX-License-Identifier: MIT
#include "framework/ops/activation.h"

#include "framework/ops/arithmetic.h"
#include "framework/ops/unary.h"

namespace lily {
namespace {

using kernels::Unary;

using T = const Tensor&;

}  // namespace

Tensor relu(const Tensor& x) {
    return unary("relu", Unary::relu, {}, x, SlopeUses::y,
                 [](T y, T dy) { return masked(dy, is_not_cut_off(y)); });
}

Tensor leaky_relu(const Tensor& x, double negative_slope) {
    return unary("leaky_relu", Unary::leaky_relu, {.a = negative_slope}, x, SlopeUses::x,
                 [negative_slope](T v, T dy) { return dy * leaky_slope(v, negative_slope); });
}

Tensor tanh(const Tensor& x) {
    return unary("tanh", Unary::tanh, {}, x, SlopeUses::y, [](T y, T dy) { return dy * (1 - y * y); });
}

Tensor sigmoid(const Tensor& x) {
    return unary("sigmoid", Unary::sigmoid, {}, x, SlopeUses::y,
                 [](T y, T dy) { return dy * (y * (1 - y)); });
}

Tensor softplus(const Tensor& x, double beta, double threshold) {
    check(beta > 0, "[softplus] expected beta > 0, got {}", beta);
    return unary("softplus", Unary::softplus, {.a = beta, .b = threshold}, x, SlopeUses::x, [=](T v, T dy) {
        const Tensor linear = gt(beta * v.detach(), scalar(threshold, {.dtype = v.dtype()}));
        return dy * (linear + (1 - linear) * sigmoid(beta * v));
    });
}

}  // namespace lily
