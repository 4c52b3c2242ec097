// SPDX-License-Identifier: MIT
#include "framework/ops/pointwise.h"

#include "framework/ops/arithmetic.h"
#include "framework/ops/unary.h"
#include "kernels/elementwise/functions.h"

namespace lily {

using kernels::Unary;

using T = const Tensor&;

Tensor exp(const Tensor& x) {
    return unary("exp", Unary::exp, {}, x, SlopeUses::y, [](T y, T dy) { return dy * y; });
}

Tensor log(const Tensor& x) {
    return unary("log", Unary::log, {}, x, SlopeUses::x, [](T v, T dy) { return dy / v; });
}

Tensor sqrt(const Tensor& x) {
    return unary("sqrt", Unary::sqrt, {}, x, SlopeUses::y, [](T y, T dy) { return dy / (2 * y); });
}

Tensor rsqrt(const Tensor& x) {
    return unary("rsqrt", Unary::rsqrt, {}, x, SlopeUses::y, [](T y, T dy) { return dy * y * y * y * -0.5; });
}

Tensor erf(const Tensor& x) {
    return unary("erf", Unary::erf, {}, x, SlopeUses::x,
                 [](T v, T dy) { return dy * (1.1283791670955126 * exp(-square(v))); });
}

Tensor abs(const Tensor& x) {
    return unary("abs", Unary::abs, {}, x, SlopeUses::x, [](T v, T dy) {
        const Tensor zero = scalar(0, {.dtype = v.dtype()}), at = v.detach();
        return dy * (gt(at, zero) - lt(at, zero));  // sign(NaN) is NaN
    });
}

Tensor sign(const Tensor& x) {
    return unary("sign", Unary::sign, {}, x, SlopeUses::nothing, [](T, T dy) { return zeros_like(dy); });
}

Tensor square(const Tensor& x) {
    return unary("square", Unary::square, {}, x, SlopeUses::x, [](T v, T dy) { return dy * v * 2.0; });
}

Tensor reciprocal(const Tensor& x) {
    return unary("reciprocal", Unary::reciprocal, {}, x, SlopeUses::y,
                 [](T y, T dy) { return -(dy * y * y); });
}

Tensor pow(const Tensor& x, double exponent) {
    return unary("pow", Unary::pow, {.a = exponent}, x, SlopeUses::x, [exponent](T v, T dy) {
        return exponent == 0 ? zeros_like(dy) : dy * (exponent * pow(v, exponent - 1));
    });
}

Tensor clamp(const Tensor& x, double low, double high) {
    check(low <= high, "[clamp] expected low <= high, got {} and {}", low, high);
    return unary("clamp", Unary::clamp, {.a = low, .b = high}, x, SlopeUses::x, [low, high](T v, T dy) {
        return masked(dy, gt(v.detach(), scalar(low, {.dtype = v.dtype()})) *
                              lt(v.detach(), scalar(high, {.dtype = v.dtype()})));
    });
}

}  // namespace lily
