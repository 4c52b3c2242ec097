// SPDX-License-Identifier: MIT
#include "framework/ops/activation.h"

#include "framework/ops/arithmetic.h"
#include "framework/ops/pointwise.h"
#include "framework/ops/unary.h"
#include "kernels/elementwise/functions.h"

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

Tensor gelu(const Tensor& x, GeluApproximation approximation) {
    if (approximation == GeluApproximation::none)
        return unary("gelu", Unary::gelu, {}, x, SlopeUses::x, [](T v, T dy) {
            const double root_half = 0.7071067811865476, normal = 0.3989422804014327;
            return dy * (0.5 * (1 + erf(root_half * v)) + v * (normal * exp(-0.5 * square(v))));
        });
    return unary("gelu_tanh", Unary::gelu_tanh, {}, x, SlopeUses::x, [](T v, T dy) {
        const double c = 0.7978845608028654, k = 0.044715;
        const Tensor t = tanh(c * (v + k * (square(v) * v)));
        return dy * (0.5 * (1 + t) + 0.5 * v * (1 - t * t) * (c * (1 + 3 * k * square(v))));
    });
}

Tensor quick_gelu(const Tensor& x) {
    return unary("quick_gelu", Unary::quick_gelu, {}, x, SlopeUses::x, [](T v, T dy) {
        const Tensor s = sigmoid(1.702 * v);
        return dy * (s + 1.702 * v * (s * (1 - s)));
    });
}

}  // namespace lily
