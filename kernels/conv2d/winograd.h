// SPDX-License-Identifier: MIT
// Winograd's convolution F(4x4, 3x3): four by four outputs of a 3x3 filter with 36 multiplications instead of
// 144 (Lavin & Gray 2016). A 6x6 patch d of the input, a filter g and a tile Y of the output:
//     Y = Aᵀ [ (G g Gᵀ) ⊙ (Bᵀ d B) ] A
// It multiplies the polynomials behind patch and filter by their values at 0, ±a, ±b and ∞. With a = 5/8 and
// b = 3/2 rounding errors grow least among the simple fractions: about 6e-7 of the largest output.
// Included by kernels/conv2d/*.cpp only; the loops are for use inside parallel_for.
#pragma once

#include <array>
#include <cstdint>

#include "kernels/common/vector_tiles.h"

namespace lily::kernels::winograd {

inline constexpr int kTile = 4, kPatch = 6, kElements = 36;
inline constexpr float a = 5.0f / 8, b = 3.0f / 2;  // a², b², a²b², a³, b³ are exact in f32

// G: the polynomial g0 + g1·p + g2·p² at each point p, divided by Π (p - other points).
constexpr std::array<std::array<float, 3>, kPatch> filter_matrix() {
    constexpr double p = a, q = b;
    const double np = 1 / (2 * p * p * (p * p - q * q)), nq = 1 / (2 * q * q * (q * q - p * p));
    const auto row = [](double n, double x) {
        return std::array{static_cast<float>(n), static_cast<float>(n * x), static_cast<float>(n * x * x)};
    };
    return {row(1 / (p * p * q * q), 0), row(np, p), row(np, -p), row(nq, q), row(nq, -q), {0, 0, 1}};
}

// u = G g Gᵀ of `Lanes` filters that lie side by side: g[3·r + s][lane], u[6·row + column][lane].
template <int Lanes>
inline void transform_filter(const float (&g)[9][Lanes], float (&u)[kElements][Lanes]) {
    constexpr auto kG = filter_matrix();
    for (int row = 0; row < kPatch; ++row) {
        float h[3][Lanes];  // the row of G g
        for (int s = 0; s < 3; ++s)
            for (int l = 0; l < Lanes; ++l)
                h[s][l] = kG[row][0] * g[s][l] + kG[row][1] * g[3 + s][l] + kG[row][2] * g[6 + s][l];
        for (int column = 0; column < kPatch; ++column)
            for (int l = 0; l < Lanes; ++l)
                u[row * kPatch + column][l] =
                    kG[column][0] * h[0][l] + kG[column][1] * h[1][l] + kG[column][2] * h[2][l];
    }
}

// t = Bᵀ d. Row p of Bᵀ holds the coefficients of Π (x - other points): of x(x²-a²)(x²-b²) / (x-p).
template <class V>
inline void transform_input(const V (&d)[kPatch], V (&t)[kPatch]) {
    constexpr float a2 = a * a, b2 = b * b;
    const V even_a = d[4] - b2 * d[2], odd_a = a * d[3] - a * b2 * d[1];
    const V even_b = d[4] - a2 * d[2], odd_b = b * d[3] - b * a2 * d[1];
    t[0] = d[4] - (a2 + b2) * d[2] + a2 * b2 * d[0];
    t[1] = even_a + odd_a;
    t[2] = even_a - odd_a;
    t[3] = even_b + odd_b;
    t[4] = even_b - odd_b;
    t[5] = d[5] - (a2 + b2) * d[3] + a2 * b2 * d[1];
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
