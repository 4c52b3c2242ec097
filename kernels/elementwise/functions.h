// SPDX-License-Identifier: MIT
// The maths of every elementwise function, once, for all devices and precisions: value(x) and slope(x, y) =
// dy/dx.
#pragma once

#include <cmath>

#include "kernels/common/vector_math.h"

namespace lily::kernels::functions {

template <class T>
struct Exp {
    T value(T x) const { return fast_exp(x); }
    T slope(T, T y) const { return y; }
};
template <class T>
struct Log {
    T value(T x) const { return std::log(x); }
    T slope(T x, T) const { return T(1) / x; }
};
template <class T>
struct Sqrt {
    T value(T x) const { return std::sqrt(x); }
    T slope(T, T y) const { return T(0.5) / y; }
};
template <class T>
struct Abs {
    T value(T x) const { return std::fabs(x); }
    T slope(T x, T) const { return T(x > 0) - T(x < 0); }
};
template <class T>
struct Sign {
    T value(T x) const { return x == x ? T(x > 0) - T(x < 0) : x; }
    T slope(T, T) const { return T(0); }
};
template <class T>
struct Square {
    T value(T x) const { return x * x; }
    T slope(T x, T) const { return T(2) * x; }
};
template <class T>
struct Reciprocal {
    T value(T x) const { return T(1) / x; }
    T slope(T, T y) const { return -y * y; }
};
template <class T>
struct Pow {
    T exponent;
    T value(T x) const { return std::pow(x, exponent); }
    T slope(T x, T) const { return exponent == T(0) ? T(0) : exponent * std::pow(x, exponent - T(1)); }
};
// Gradient 1 inside and on the limits, as in PyTorch.
template <class T>
struct Clamp {
    T low, high;
    T value(T x) const { return x < low ? low : (x > high ? high : x); }
    T slope(T x, T) const { return T(x >= low && x <= high); }
};
template <class T>
struct LeakyRelu {
    T negative_slope;
    T value(T x) const { return x > 0 ? x : negative_slope * x; }
    T slope(T x, T) const { return x > 0 ? T(1) : negative_slope; }
};
// NaN stays NaN: a diverged run must show.
template <class T>
struct Relu {
    T value(T x) const { return x < 0 ? T(0) : x; }
    T slope(T, T y) const { return T(y > 0); }
};
template <class T>
struct Tanh {
    T value(T x) const { return fast_tanh(x); }
    T slope(T, T y) const { return T(1) - y * y; }
};
template <class T>
struct Sigmoid {
    T value(T x) const { return fast_sigmoid(x); }
    T slope(T, T y) const { return y * (T(1) - y); }
};
// log(1 + exp(beta x)) / beta = max(x, 0) + log1p(exp(-|beta x|)) / beta; linear above the threshold, as in
// PyTorch.
template <class T>
struct Softplus {
    T beta, threshold;
    T value(T x) const {
        const T z = beta * x;
        return z > threshold ? x : (std::fmax(z, T(0)) + std::log1p(fast_exp(-std::fabs(z)))) / beta;
    }
    T slope(T x, T) const { return beta * x > threshold ? T(1) : fast_sigmoid(beta * x); }
};

}  // namespace lily::kernels::functions
