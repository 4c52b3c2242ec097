// SPDX-License-Identifier: MIT
// What may follow a linear layer, and its gradient dz = f'(z) dy as a function of the result; for the CPU and
// the GPUs.
#pragma once

#include "kernels/elementwise/functions.h"
#include "kernels/linear/linear.h"

namespace lily::kernels {
inline namespace LILY_FORMULAS {

template <class T>
struct Identity {
    LILY_SHARED T value(T x) const { return x; }
    LILY_SHARED T gradient(T, T dy) const { return dy; }
};
template <class T>
struct LinearRelu {
    LILY_SHARED T value(T x) const { return functions::Relu<T>{}.value(x); }
    LILY_SHARED T gradient(T y, T dy) const { return functions::Relu<T>{}.gradient(y, y, dy); }
};
template <class T>
struct LinearLeakyRelu {
    T negative_slope;
    LILY_SHARED T value(T x) const { return functions::LeakyRelu<T>{negative_slope}.value(x); }
    LILY_SHARED T gradient(T y, T dy) const {
        return functions::LeakyRelu<T>{negative_slope}.gradient(y, y, dy);
    }
};
template <class T>
struct LinearTanh {
    LILY_SHARED T value(T x) const { return fast_tanh(x); }
    LILY_SHARED T gradient(T y, T dy) const { return functions::Tanh<T>{}.gradient(y, y, dy); }
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
