// SPDX-License-Identifier: MIT
// Winograd's convolution F(4x4, 3x3): four by four outputs of a 3x3 filter with 36 multiplications instead of
// 144 (Lavin & Gray 2016). A 6x6 patch d of the input, a filter g and a tile Y of the output:
//     Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A
// It multiplies the polynomials behind patch and filter by their values at 0, ±a, ±b and ∞. With a = 2/3 and
// b = 1/a rounding errors are as small as with the best pairs of simple fractions: 1.4e-6 (root mean square,
// 256 channels) where the definition has 0.6e-6. And turning a filter by 180 degrees turns its polynomial
// around, x² g(1/x), which swaps the points 0 and ∞, a and b, -a and -b: the transformed weights of the
// forward pass serve backward data too, their elements in another order.
// Included by kernels/conv2d/*.cpp only; the loops are for use inside parallel_for.
#pragma once

#include <array>
#include <cstddef>

namespace lily::kernels::winograd {

inline constexpr int kTile = 4, kPatch = 6, kElements = 36;
inline constexpr float a = 2.0f / 3, b = 3.0f / 2;

// Element e of a turned filter is element turned(e) of the filter itself.
constexpr int turned(int e) {
    constexpr std::array<int, kPatch> kPoint = {5, 3, 4, 1, 2, 0};
    return kPoint[static_cast<size_t>(e / kPatch)] * kPatch + kPoint[static_cast<size_t>(e % kPatch)];
}

// t = G g: the polynomial g0 + g1·x + g2·x² at each point p, times n / p; n takes the squares' difference
// out.
template <class V>
inline void transform_filter(const V (&g)[3], V (&t)[kPatch]) {
    constexpr double p = 2.0 / 3, q = 1 / p, n = 1 / (2 * (q * q - p * p));
    constexpr float np = static_cast<float>(n * p), nq = static_cast<float>(n * q), n1 = n;
    const V odd = n1 * g[1], even_a = nq * g[0] + np * g[2], even_b = np * g[0] + nq * g[2];
    t[0] = g[0];
    t[1] = odd + even_a;
    t[2] = odd - even_a;
    t[3] = odd + even_b;
    t[4] = odd - even_b;
    t[5] = g[2];
}

// t = Bᵀ d. Row p of Bᵀ holds the coefficients of Π (x - other points), divided by Π (p - other points) and
// by the factor n / p of G; a b = 1.
template <class V>
inline void transform_input(const V (&d)[kPatch], V (&t)[kPatch]) {
    constexpr float a2 = a * a, b2 = b * b;
    const V even_a = b * b2 * d[2] - b * d[4], odd_a = b2 * d[1] - d[3];
    const V even_b = a * d[4] - a * a2 * d[2], odd_b = d[3] - a2 * d[1];
    t[0] = d[4] - (a2 + b2) * d[2] + d[0];
    t[1] = odd_a + even_a;
    t[2] = odd_a - even_a;
    t[3] = odd_b + even_b;
    t[4] = odd_b - even_b;
    t[5] = d[5] - (a2 + b2) * d[3] + d[1];
}

// y = Aᵀ m: y[i] = Σ_p pⁱ m[p], and the point ∞ adds to y[3] alone.
template <class V>
inline void transform_output(const V (&m)[kPatch], V (&y)[kTile]) {
    const V sum_a = m[1] + m[2], difference_a = m[1] - m[2];
    const V sum_b = m[3] + m[4], difference_b = m[3] - m[4];
    y[0] = m[0] + sum_a + sum_b;
    y[1] = a * difference_a + b * difference_b;
    y[2] = a * a * sum_a + b * b * sum_b;
    y[3] = a * a * a * difference_a + b * b * b * difference_b + m[5];
}

}  // namespace lily::kernels::winograd
