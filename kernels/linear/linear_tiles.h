// SPDX-License-Identifier: MIT
// The three products of a linear layer on AVX-512 and AVX2 have one innermost loop,
//     sum[p][v] = Σ_k a[p · a.row + k · a.step] · b[k · b_step + v B + lane],
// one factor broadcast, the other a few vectors. Only its strides differ:
//     forward   zᵀ = W xᵀ       a = W     b = xᵀ
//     dx = dz W                 a = dz    b = W
//     dW = dzᵀ x                a = dzᵀ   b = x
// where panels of b, a few vectors wide, are packed first, and dz has been turned as it was made.
// Every element is summed over k in order, in runs of kDepth, whatever the tiles and threads.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "kernels/common/vector_tiles.h"
#include "kernels/linear/linear_fast.h"

namespace lily::kernels {

constexpr int kTileRows = fast_linear::kTurnedRows;  // with kVectors<B> vectors each, all registers hold sums
template <int B>
constexpr int kVectors = B == 16 ? 4 : 2;
template <int B>
constexpr int kPanel = kVectors<B>* B;  // columns of b that a tile covers
constexpr int64_t kDepth = 512;         // values of k per run: a panel of them stays in the second cache

// a[p, k] = data[p / kTileRows · panel + p % kTileRows · row + k · step]
struct Factor {
    const float* data;
    int64_t panel, row, step;

    // the rows from p on; a tile of them does not leave its panel
    Factor at(int64_t p, int64_t k) const {
        return {data + p / kTileRows * panel + p % kTileRows * row + k * step, panel, row, step};
    }
};
inline Factor row_factor(const float* data, int64_t columns) {
    return {data, kTileRows * columns, columns, 1};
}
inline Factor turned_factor(const float* turned, int64_t depth) {
    return {turned, kTileRows * depth, 1, kTileRows};
}

// B's rows k, `step` apart, of `width` columns: (length, kPanel), with zeros behind the last column.
template <int B>
inline void pack_rows(const float* b, int64_t step, int64_t width, int64_t length, float* packed) {
    for (int64_t k = 0; k < length; ++k) {
        const float* from = b + k * step;
        float* to = packed + k * kPanel<B>;
        int64_t j = 0;
        for (; j + B <= width; j += B) lanes<B>(to + j) = lanes<B>(from + j);
        for (; j < width; ++j) to[j] = from[j];
        for (; j < kPanel<B>; ++j) to[j] = 0;
    }
}

// The same where b's columns are the rows of bt, `step` apart.
template <int B>
inline void pack_turned(const float* bt, int64_t step, int64_t width, int64_t length, float* packed) {
    for (int64_t group = 0; group < kVectors<B>; ++group) {
        const int64_t columns = std::clamp<int64_t>(width - group * B, 0, B);
        const float* from = bt + group * B * step;
        float* to = packed + group * B;
        int64_t k = 0;
        for (; columns == B && k + B <= length; k += B) {
            Vector<B> square[B];
            for (int j = 0; j < B; ++j) square[j] = lanes<B>(from + j * step + k);
            transpose<B>(square);
            for (int j = 0; j < B; ++j) lanes<B>(to + (k + j) * kPanel<B>) = square[j];
        }
        for (; k < length; ++k)
            for (int64_t j = 0; j < B; ++j) to[k * kPanel<B> + j] = j < columns ? from[j * step + k] : 0.0f;
    }
}

template <int B, int P, int V>
inline void add_products(int64_t depth, const Factor& a, const float* b, int64_t b_step,
                         Vector<B> (&sum)[P][V]) {
#pragma GCC unroll 2
    for (int64_t k = 0; k < depth; ++k) {
        const float* row = b + k * b_step;
        Vector<B> right[V];
        for (int v = 0; v < V; ++v) right[v] = lanes<B>(row + v * B);
        for (int p = 0; p < P; ++p)
            for (int v = 0; v < V; ++v) sum[p][v] += a.data[p * a.row + k * a.step] * right[v];
    }
}

// The heights and widths of tiles that are compiled; others are made of these, or wider than they need to be.
// tile(rows, at) with rows a std::integral_constant, one after the other until `rows` are done.
template <class Tile>
inline void each_tile(int64_t rows, const Tile& tile) {
    int64_t at = 0;
    for (; at + kTileRows <= rows; at += kTileRows) tile(std::integral_constant<int, kTileRows>{}, at);
    if (rows - at >= 4) tile(std::integral_constant<int, 4>{}, at), at += 4;
    if (rows - at >= 2) tile(std::integral_constant<int, 2>{}, at), at += 2;
    if (rows - at >= 1) tile(std::integral_constant<int, 1>{}, at);
}
// body(vectors) with enough vectors for `width` columns.
template <int B, class Body>
inline void with_vectors_for(int64_t width, const Body& body) {
    if (width <= B) return body(std::integral_constant<int, 1>{});
    if (width <= 2 * B) return body(std::integral_constant<int, 2>{});
    body(std::integral_constant<int, kVectors<B>>{});
}

// c[p, v B + lane] = (add ? c : 0) + the product: P rows by V vectors, of whose columns `width` are wanted.
template <int B, int P, int V>
inline void product_to(int64_t depth, const Factor& a, const float* b, int64_t b_step, bool add,
                       int64_t width, float* c, int64_t c_row) {
    alignas(64) float edge[P][V * B];  // instead of c, where a tile is wider than what is wanted
    const bool whole = width >= V * B;
    if (!whole)
        for (int p = 0; p < P; ++p) {
            std::fill_n(edge[p], V * B, 0.0f);
            if (add) std::copy_n(c + p * c_row, width, edge[p]);
        }
    float* const to = whole ? c : edge[0];
    const int64_t to_row = whole ? c_row : V * B;
    Vector<B> sum[P][V];
    for (int p = 0; p < P; ++p)
        for (int v = 0; v < V; ++v) {
            sum[p][v] = Vector<B>{};
            if (add) sum[p][v] = lanes<B>(to + p * to_row + v * B);
        }
    add_products<B, P, V>(depth, a, b, b_step, sum);
    for (int p = 0; p < P; ++p)
        for (int v = 0; v < V; ++v) lanes<B>(to + p * to_row + v * B) = sum[p][v];
    if (!whole)
        for (int p = 0; p < P; ++p) std::copy_n(edge[p], width, c + p * c_row);
}

}  // namespace lily::kernels
