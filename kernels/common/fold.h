// SPDX-License-Identifier: MIT
// One number from n terms: every block folds a piece of fixed length, one more block folds the pieces in
// order.
#pragma once

#include "kernels/common/block_reduce.h"

namespace lily::kernels::LILY_CUDA_DEVICE {

inline constexpr int kFoldThreads = 256;
inline constexpr int64_t kFoldPiece = 16 * kFoldThreads;

// partial[b] = fold of term(i) over piece b, starting from 0.
template <class Term, class Fold>
__global__ void __launch_bounds__(kFoldThreads)
    fold_pieces_kernel(int64_t n, Term term, Fold fold, double* partial) {
    const int64_t begin = blockIdx.x * kFoldPiece, end = begin + kFoldPiece < n ? begin + kFoldPiece : n;
    double value = 0;
    for (int64_t i = begin + threadIdx.x; i < end; i += kFoldThreads) value = fold(value, term(i));
    value = block_reduce<kFoldThreads>(value, fold);
    if (threadIdx.x == 0) partial[blockIdx.x] = value;
}

// *y = scale · fold of the pieces / divisor
template <class Fold, class Out>
__global__ void __launch_bounds__(kFoldThreads)
    fold_rest_kernel(int64_t pieces, const double* partial, Fold fold, double scale, double divisor, Out* y) {
    double value = 0;
    for (int64_t i = threadIdx.x; i < pieces; i += kFoldThreads) value = fold(value, partial[i]);
    value = block_reduce<kFoldThreads>(value, fold);
    if (threadIdx.x == 0) *y = static_cast<Out>(scale * value / divisor);
}

template <class Fold, class Out>
void fold_rest(const char* who, Queue& queue, int64_t pieces, const double* partial, Fold fold, double scale,
               Out* y, double divisor = 1) {
    launch(who, queue, {dim3(1), dim3(kFoldThreads)}, fold_rest_kernel<Fold, Out>, pieces, partial, fold,
           scale, divisor, y);
}

// *y = scale · fold over term(0), …, term(n-1) / divisor, accumulated in double; 0 for n = 0. y is memory of
// the device.
template <class Term, class Fold, class Out>
void fold_terms(const char* who, Queue& queue, int64_t n, Term term, Fold fold, double scale, Out* y,
                double divisor = 1) {
    const int64_t pieces = (n + kFoldPiece - 1) / kFoldPiece;
    const auto partial = queue.scratch<double>(pieces);
    launch(who, queue, {blocks_for(pieces, 1), dim3(kFoldThreads)}, fold_pieces_kernel<Term, Fold>, n, term,
           fold, partial.data());
    fold_rest(who, queue, pieces, partial.data(), fold, scale, y, divisor);
}

}  // namespace lily::kernels::LILY_CUDA_DEVICE
