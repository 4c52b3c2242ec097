// SPDX-License-Identifier: MIT
// The maths of every elementwise function, once, for all devices and precisions: value(x), gradient(x, y, dy)
// = f'(x) dy, and which function object an enumerator names. At kinks and NaN gradients are those of
// docs/kinks.md; what is cut off selects 0, even where dy is infinite.
#pragma once

#include <cmath>

#include "kernels/common/on_device.h"
#include "kernels/common/vector_math.h"
#include "kernels/elementwise/elementwise.h"

namespace lily::kernels {

// quotient: x / a; pow: a = exponent; clamp: a = low, b = high; leaky_relu: a = slope; softplus: a = beta, b
// = threshold.
enum class Unary : uint8_t {
    exp,
    log,
    sqrt,
    rsqrt,
    abs,
    sign,
    square,
    reciprocal,
    quotient,
    pow,
    clamp,
    leaky_relu,
    relu,
    tanh,
    sigmoid,
    softplus,
    erf,
    gelu,
    gelu_tanh,
    quick_gelu,
};

// Comparisons give 1 or 0; masked is a b, and 0 where b is 0 whatever a is.
enum class Binary : uint8_t { add, sub, mul, div, maximum, minimum, gt, ge, lt, le, eq, ne, masked };

namespace functions {
inline namespace LILY_FORMULAS {

template <class T>
struct Exp {
    LILY_SHARED T value(T x) const { return fast_exp(x); }
    LILY_SHARED T gradient(T, T y, T dy) const { return dy * y; }
};
template <class T>
struct Log {
    LILY_SHARED T value(T x) const { return std::log(x); }
    LILY_SHARED T gradient(T x, T, T dy) const { return dy / x; }  // 1 / x may overflow
};
template <class T>
struct Sqrt {
    LILY_SHARED T value(T x) const { return std::sqrt(x); }
    LILY_SHARED T gradient(T, T y, T dy) const { return dy / (T(2) * y); }
};
template <class T>
struct Rsqrt {
    LILY_SHARED T value(T x) const { return T(1) / std::sqrt(x); }
    LILY_SHARED T gradient(T, T y, T dy) const { return dy * y * y * y * T(-0.5); }
};
template <class T>
struct Abs {
    LILY_SHARED T value(T x) const { return std::fabs(x); }
    LILY_SHARED T gradient(T x, T, T dy) const { return dy * (T(x > 0) - T(x < 0)); }
};
template <class T>
struct Sign {
    LILY_SHARED T value(T x) const { return x == x ? T(x > 0) - T(x < 0) : x; }
    LILY_SHARED T gradient(T, T, T) const { return T(0); }
};
// Products from left to right: 2 x, or y² and y³ of others, may overflow where dy makes the result small.
template <class T>
struct Square {
    LILY_SHARED T value(T x) const { return x * x; }
    LILY_SHARED T gradient(T x, T, T dy) const { return dy * x * T(2); }
};
template <class T>
struct Reciprocal {
    LILY_SHARED T value(T x) const { return T(1) / x; }
    LILY_SHARED T gradient(T, T y, T dy) const { return -(dy * y * y); }
};
template <class T>
struct Quotient {
    T divisor;
    LILY_SHARED T value(T x) const { return x / divisor; }
    LILY_SHARED T gradient(T, T, T dy) const { return dy / divisor; }
};
template <class T>
struct Pow {
    T exponent;
    LILY_SHARED T value(T x) const { return std::pow(x, exponent); }
    LILY_SHARED T gradient(T x, T, T dy) const {
        return exponent == T(0) ? T(0) : dy * (exponent * std::pow(x, exponent - T(1)));
    }
};
template <class T>
struct Clamp {
    T low, high;
    LILY_SHARED T value(T x) const { return x < low ? low : (x > high ? high : x); }
    LILY_SHARED T gradient(T x, T, T dy) const { return x > low && x < high ? dy : T(0); }
};
template <class T>
struct LeakyRelu {
    T negative_slope;
    LILY_SHARED T value(T x) const { return x > 0 ? x : negative_slope * x; }
    LILY_SHARED T gradient(T x, T, T dy) const { return dy * (x > 0 ? T(1) : negative_slope); }
};
// NaN stays NaN, and lets the gradient through: a diverged run must show.
template <class T>
struct Relu {
    LILY_SHARED T value(T x) const { return x < 0 ? T(0) : x; }
    LILY_SHARED T gradient(T, T y, T dy) const { return y <= 0 ? T(0) : dy; }
};
template <class T>
struct Tanh {
    LILY_SHARED T value(T x) const { return fast_tanh(x); }
    LILY_SHARED T gradient(T, T y, T dy) const { return dy * (T(1) - y * y); }
};
template <class T>
struct Sigmoid {
    LILY_SHARED T value(T x) const { return fast_sigmoid(x); }
    LILY_SHARED T gradient(T, T y, T dy) const { return dy * (y * (T(1) - y)); }
};
// log(1 + exp(beta x)) / beta = max(x, 0) + log1p(exp(-|beta x|)) / beta; linear above the threshold, as in
// PyTorch.
template <class T>
struct Softplus {
    T beta, threshold;
    LILY_SHARED T value(T x) const {
        const T z = beta * x;
        return z > threshold ? x : (std::fmax(z, T(0)) + std::log1p(fast_exp(-std::fabs(z)))) / beta;
    }
    LILY_SHARED T gradient(T x, T, T dy) const {
        return dy * (beta * x > threshold ? T(1) : fast_sigmoid(beta * x));
    }
};

template <class T>
struct Erf {
    LILY_SHARED T value(T x) const { return std::copysign(T(1) - fast_erfc_of_positive(std::fabs(x)), x); }
    LILY_SHARED T gradient(T x, T, T dy) const { return dy * (T(1.1283791670955126) * fast_exp(-x * x)); }
};
// x Φ(x) with Φ(x) = erfc(-x/√2) / 2; the slope is Φ(x) + x φ(x).
template <class T>
struct Gelu {
    LILY_SHARED T below(T x) const {
        const T tail = T(0.5) * fast_erfc_of_positive(std::fabs(x) * T(0.7071067811865476));
        return x < 0 ? tail : T(1) - tail;
    }
    LILY_SHARED T value(T x) const { return x * below(x); }
    LILY_SHARED T gradient(T x, T, T dy) const {
        return dy * (below(x) + x * (T(0.3989422804014327) * fast_exp(T(-0.5) * x * x)));
    }
};
// x (1 + tanh(c (x + 0.044715 x³))) / 2, c = √(2/π)
template <class T>
struct GeluTanh {
    static constexpr T c = T(0.7978845608028654), k = T(0.044715);
    LILY_SHARED T value(T x) const { return T(0.5) * x * (T(1) + fast_tanh(c * (x + k * x * x * x))); }
    LILY_SHARED T gradient(T x, T, T dy) const {
        const T t = fast_tanh(c * (x + k * x * x * x));
        return dy * (T(0.5) * (T(1) + t) + T(0.5) * x * (T(1) - t * t) * (c * (T(1) + T(3) * k * x * x)));
    }
};
// x σ(1.702 x), as OpenAI's CLIP has it
template <class T>
struct QuickGelu {
    LILY_SHARED T value(T x) const { return x * fast_sigmoid(T(1.702) * x); }
    LILY_SHARED T gradient(T x, T, T dy) const {
        const T s = fast_sigmoid(T(1.702) * x);
        return dy * (s + T(1.702) * x * (s * (T(1) - s)));
    }
};

// z = a op b. NaN wins in maximum and minimum; comparisons give 1 or 0.
template <class T>
struct Plus {
    LILY_SHARED T operator()(T a, T b) const { return a + b; }
};
template <class T>
struct Minus {
    LILY_SHARED T operator()(T a, T b) const { return a - b; }
};
template <class T>
struct Times {
    LILY_SHARED T operator()(T a, T b) const { return a * b; }
};
template <class T>
struct Over {
    LILY_SHARED T operator()(T a, T b) const { return a / b; }
};
template <class T>
struct Larger {
    LILY_SHARED T operator()(T a, T b) const { return a != a ? a : (a < b || b != b ? b : a); }
};
template <class T>
struct Smaller {
    LILY_SHARED T operator()(T a, T b) const { return a != a ? a : (a > b || b != b ? b : a); }
};
template <class T>
struct Gt {
    LILY_SHARED T operator()(T a, T b) const { return T(a > b); }
};
template <class T>
struct Ge {
    LILY_SHARED T operator()(T a, T b) const { return T(a >= b); }
};
template <class T>
struct Lt {
    LILY_SHARED T operator()(T a, T b) const { return T(a < b); }
};
template <class T>
struct Le {
    LILY_SHARED T operator()(T a, T b) const { return T(a <= b); }
};
template <class T>
struct Eq {
    LILY_SHARED T operator()(T a, T b) const { return T(a == b); }
};
template <class T>
struct Ne {
    LILY_SHARED T operator()(T a, T b) const { return T(a != b); }
};
template <class T>
struct Masked {
    LILY_SHARED T operator()(T a, T b) const { return b != 0 ? a * b : T(0); }
};

// body(f) with the function object that `op` names.
template <class T, class Body>
void visit_unary(Unary op, UnaryArguments args, const Body& body) {
    const T a = static_cast<T>(args.a), b = static_cast<T>(args.b);
    switch (op) {
        case Unary::exp:
            return body(Exp<T>{});
        case Unary::log:
            return body(Log<T>{});
        case Unary::sqrt:
            return body(Sqrt<T>{});
        case Unary::rsqrt:
            return body(Rsqrt<T>{});
        case Unary::abs:
            return body(Abs<T>{});
        case Unary::sign:
            return body(Sign<T>{});
        case Unary::square:
            return body(Square<T>{});
        case Unary::reciprocal:
            return body(Reciprocal<T>{});
        case Unary::quotient:
            return body(Quotient<T>{a});
        case Unary::pow:
            return body(Pow<T>{a});
        case Unary::clamp:
            return body(Clamp<T>{a, b});
        case Unary::leaky_relu:
            return body(LeakyRelu<T>{a});
        case Unary::relu:
            return body(Relu<T>{});
        case Unary::tanh:
            return body(Tanh<T>{});
        case Unary::sigmoid:
            return body(Sigmoid<T>{});
        case Unary::softplus:
            return body(Softplus<T>{a, b});
        case Unary::erf:
            return body(Erf<T>{});
        case Unary::gelu:
            return body(Gelu<T>{});
        case Unary::gelu_tanh:
            return body(GeluTanh<T>{});
        case Unary::quick_gelu:
            return body(QuickGelu<T>{});
    }
}

// The same for a function of two.
template <class T, class Body>
void visit_binary(Binary op, const Body& body) {
    switch (op) {
        case Binary::add:
            return body(Plus<T>{});
        case Binary::sub:
            return body(Minus<T>{});
        case Binary::mul:
            return body(Times<T>{});
        case Binary::div:
            return body(Over<T>{});
        case Binary::maximum:
            return body(Larger<T>{});
        case Binary::minimum:
            return body(Smaller<T>{});
        case Binary::gt:
            return body(Gt<T>{});
        case Binary::ge:
            return body(Ge<T>{});
        case Binary::lt:
            return body(Lt<T>{});
        case Binary::le:
            return body(Le<T>{});
        case Binary::eq:
            return body(Eq<T>{});
        case Binary::ne:
            return body(Ne<T>{});
        case Binary::masked:
            return body(Masked<T>{});
    }
}

}  // namespace LILY_FORMULAS
}  // namespace functions
}  // namespace lily::kernels
