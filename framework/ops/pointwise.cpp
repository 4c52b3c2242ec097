// SPDX-License-Identifier: MIT
#include "framework/ops/pointwise.h"

#include "framework/ops/arithmetic.h"
#include "framework/ops/unary.h"

namespace lily {

using kernels::Unary;

Tensor exp(const Tensor& x) {
    return unary("exp", Unary::exp, {}, x, SlopeUses::y, [](const Tensor& y) { return y; });
}

Tensor log(const Tensor& x) {
    return unary("log", Unary::log, {}, x, SlopeUses::x, [](const Tensor& v) { return reciprocal(v); });
}

Tensor sqrt(const Tensor& x) {
    return unary("sqrt", Unary::sqrt, {}, x, SlopeUses::y,
                 [](const Tensor& y) { return 0.5 * reciprocal(y); });
}

Tensor abs(const Tensor& x) {
    return unary("abs", Unary::abs, {}, x, SlopeUses::x, [](const Tensor& v) { return sign(v); });
}

Tensor sign(const Tensor& x) {
    return unary("sign", Unary::sign, {}, x, SlopeUses::nothing,
                 [](const Tensor& dy) { return zeros_like(dy); });
}

Tensor square(const Tensor& x) {
    return unary("square", Unary::square, {}, x, SlopeUses::x, [](const Tensor& v) { return 2 * v; });
}

Tensor reciprocal(const Tensor& x) {
    return unary("reciprocal", Unary::reciprocal, {}, x, SlopeUses::y,
                 [](const Tensor& y) { return -square(y); });
}

Tensor pow(const Tensor& x, double exponent) {
    return unary("pow", Unary::pow, {.a = exponent}, x, SlopeUses::x, [exponent](const Tensor& v) {
        return exponent == 0 ? zeros_like(v) : exponent * pow(v, exponent - 1);
    });
}

Tensor clamp(const Tensor& x, double low, double high) {
    check(low <= high, "[clamp] expected low <= high, got {} and {}", low, high);
    return unary("clamp", Unary::clamp, {.a = low, .b = high}, x, SlopeUses::x, [low, high](const Tensor& v) {
        return mul(ge(v.detach(), scalar(low, {.dtype = v.dtype()})),
                   le(v.detach(), scalar(high, {.dtype = v.dtype()})));
    });
}

}  // namespace lily
