// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"

namespace lily {

// Element by element, broadcast as in NumPy; both of one dtype.
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);
// Equal values share the gradient evenly; at NaN both have all of it, as in PyTorch (docs/kinks.md).
Tensor maximum(const Tensor& a, const Tensor& b);
Tensor minimum(const Tensor& a, const Tensor& b);

// scale · x + shift
Tensor affine(const Tensor& x, double scale, double shift);

// 1 where it holds, else 0: of f32 and f64 in the dtype of a and b, of i64 in u8. Constants, without
// gradient.
Tensor gt(const Tensor& a, const Tensor& b);
Tensor ge(const Tensor& a, const Tensor& b);
Tensor lt(const Tensor& a, const Tensor& b);
Tensor le(const Tensor& a, const Tensor& b);
Tensor eq(const Tensor& a, const Tensor& b);
Tensor ne(const Tensor& a, const Tensor& b);

// a · mask, and 0 where the mask is 0 even if a is infinite or NaN. The mask is a constant, without gradient.
Tensor masked(const Tensor& a, const Tensor& mask);

inline Tensor operator+(const Tensor& a, const Tensor& b) { return add(a, b); }
inline Tensor operator-(const Tensor& a, const Tensor& b) { return sub(a, b); }
inline Tensor operator*(const Tensor& a, const Tensor& b) { return mul(a, b); }
inline Tensor operator/(const Tensor& a, const Tensor& b) { return div(a, b); }
inline Tensor operator+(const Tensor& a, double b) { return affine(a, 1, b); }
inline Tensor operator-(const Tensor& a, double b) { return affine(a, 1, -b); }
inline Tensor operator*(const Tensor& a, double b) { return affine(a, b, 0); }
Tensor operator/(const Tensor& a, double b);
inline Tensor operator+(double a, const Tensor& b) { return affine(b, 1, a); }
inline Tensor operator-(double a, const Tensor& b) { return affine(b, -1, a); }
inline Tensor operator*(double a, const Tensor& b) { return affine(b, a, 0); }
inline Tensor operator-(const Tensor& a) { return affine(a, -1, 0); }

}  // namespace lily
