// SPDX-License-Identifier: MIT
// Convolution as the definition says it, in row-major order: the oracle of the tests.
#pragma once

#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/conv2d/conv2d.h"

namespace lily::kernels::conv2d_loops {

// body(i, r): output position i meets input position i·stride + r·dilation - padding = `at`, if that lies
// inside.
inline int64_t input_position(const Conv2dShape& s, size_t axis, int64_t i, int64_t tap) {
    return i * s.stride[axis] + tap * s.dilation[axis] - s.padding[axis];
}

// body(k, c, n, i, j, h, w, tap) for all pairs that multiply each other, one group's k and c at a time.
template <class Body>
void for_each_product(const Conv2dShape& s, int64_t n, int64_t k, int64_t c, const Body& body) {
    for (int64_t r = 0; r < s.r; ++r)
        for (int64_t q = 0; q < s.s; ++q)
            for (int64_t i = 0; i < s.out_h(); ++i) {
                const int64_t h = input_position(s, 0, i, r);
                if (h < 0 || h >= s.h) continue;
                for (int64_t j = 0; j < s.out_w(); ++j) {
                    const int64_t w = input_position(s, 1, j, q);
                    if (w < 0 || w >= s.w) continue;
                    body(((n * s.k + k) * s.out_h() + i) * s.out_w() + j, ((n * s.c + c) * s.h + h) * s.w + w,
                         ((k * (s.c / s.groups) + c % (s.c / s.groups)) * s.r + r) * s.s + q);
                }
            }
}

// How many planes of `products` multiplications make a piece that is worth a thread.
inline int64_t grain(int64_t products) {
    return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, products));
}

template <class T>
void forward(const Conv2dShape& s, bool relu, const T* x, const T* w, const T* bias, T* y) {
    const T scale = static_cast<T>(s.weight_scale);
    const int64_t per_group = s.c / s.groups, plane = s.out_h() * s.out_w();
    parallel_for(s.n * s.k, grain(plane * per_group * s.r * s.s), [=](int64_t begin, int64_t end) {
        for (int64_t nk = begin; nk < end; ++nk) {
            const int64_t n = nk / s.k, k = nk % s.k, first = k / (s.k / s.groups) * per_group;
            std::fill(y + nk * plane, y + (nk + 1) * plane, bias ? bias[k] : T(0));
            for (int64_t c = first; c < first + per_group; ++c)
                for_each_product(s, n, k, c, [=](int64_t at_y, int64_t at_x, int64_t at_w) {
                    y[at_y] += scale * w[at_w] * x[at_x];
                });
            for (int64_t i = nk * plane; relu && i < (nk + 1) * plane; ++i) y[i] = y[i] < 0 ? T(0) : y[i];
        }
    });
}

// y: null, or the output of a ReLU that followed: then the gradient of what is not positive is 0.
template <class T>
void backward_data(const Conv2dShape& s, const T* dy, const T* y, const T* w, T* dx) {
    const T scale = static_cast<T>(s.weight_scale);
    const int64_t c_per_group = s.c / s.groups, k_per_group = s.k / s.groups, plane = s.h * s.w;
    parallel_for(s.n * s.c, grain(plane * k_per_group * s.r * s.s), [=](int64_t begin, int64_t end) {
        for (int64_t nc = begin; nc < end; ++nc) {
            const int64_t n = nc / s.c, c = nc % s.c, first = c / c_per_group * k_per_group;
            std::fill(dx + nc * plane, dx + (nc + 1) * plane, T(0));
            for (int64_t k = first; k < first + k_per_group; ++k)
                for_each_product(s, n, k, c, [=](int64_t at_y, int64_t at_x, int64_t at_w) {
                    dx[at_x] += scale * w[at_w] * (y && y[at_y] <= 0 ? T(0) : dy[at_y]);
                });
        }
    });
}

template <class T>
void backward_weights(const Conv2dShape& s, const T* x, const T* dy, T* dw) {
    const T scale = static_cast<T>(s.weight_scale);
    const int64_t c_per_group = s.c / s.groups, k_per_group = s.k / s.groups, taps = s.r * s.s;
    parallel_for(
        s.k * c_per_group, grain(s.n * s.out_h() * s.out_w() * taps), [=](int64_t begin, int64_t end) {
            for (int64_t kc = begin; kc < end; ++kc) {
                const int64_t k = kc / c_per_group, c = k / k_per_group * c_per_group + kc % c_per_group;
                std::fill(dw + kc * taps, dw + (kc + 1) * taps, T(0));
                for (int64_t n = 0; n < s.n; ++n)
                    for_each_product(s, n, k, c, [=](int64_t at_y, int64_t at_x, int64_t at_w) {
                        dw[at_w] += scale * dy[at_y] * x[at_x];
                    });
            }
        });
}

}  // namespace lily::kernels::conv2d_loops
