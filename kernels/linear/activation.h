// SPDX-License-Identifier: MIT
// What may follow a linear layer, and its slope as a function of the result; for the CPU and the GPUs.
#pragma once

#include "kernels/elementwise/functions.h"
#include "kernels/linear/linear.h"

namespace lily::kernels {
inline namespace LILY_FORMULAS {

template <class T>
struct Identity {
    LILY_SHARED T value(T x) const { return x; }
    LILY_SHARED T slope(T) const { return T(1); }
};
template <class T>
struct LinearRelu {
    LILY_SHARED T value(T x) const { return functions::Relu<T>{}.value(x); }
    LILY_SHARED T slope(T y) const { return T(y > 0); }
    static constexpr bool kMask = true;
};
template <class T>
struct LinearLeakyRelu {
    T negative_slope;
    LILY_SHARED T value(T x) const { return x > 0 ? x : negative_slope * x; }
    LILY_SHARED T slope(T y) const { return y > 0 ? T(1) : negative_slope; }
};
template <class T>
struct LinearTanh {
    LILY_SHARED T value(T x) const { return fast_tanh(x); }
    LILY_SHARED T slope(T y) const { return T(1) - y * y; }
};

// body(f) with the function object that `activation` names.
template <class T, class Body>
void visit_activation(LinearActivation activation, const Body& body) {
    switch (activation.function) {
        case Activation::none:
            return body(Identity<T>{});
        case Activation::relu:
            return body(LinearRelu<T>{});
        case Activation::leaky_relu:
            return body(LinearLeakyRelu<T>{static_cast<T>(activation.slope)});
        case Activation::tanh:
            return body(LinearTanh<T>{});
    }
}

}  // namespace LILY_FORMULAS
}  // namespace lily::kernels
