// SPDX-License-Identifier: MIT
// Rows of a table.
//   forward   y[i] = weight[index[i]]                    weight (rows, width)   index (n)   y (n, width)
//   backward  dweight[r] = Σ dy[i] over index[i] = r     in a fixed order: always the same bits
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct EmbeddingShape {
    int64_t rows, width, n;
};

// An index outside of [0, rows): the CPU's caller has looked for those; a GPU gives NaN, and drops the
// gradient.
template <class T>
struct EmbeddingKernels {
    void (*forward)(Queue&, EmbeddingShape, const T* weight, const int64_t* index, T* y);
    void (*backward)(Queue&, EmbeddingShape, const int64_t* index, const T* dy,
                     T* dweight);  // writes all rows
};
template <class T>
const EmbeddingKernels<T>& embedding(Device device);
const EmbeddingKernels<float>& embedding_on(simt::Gpu);  // embedding.cu
const EmbeddingKernels<float>& embedding_on(cuda::Gpu);

}  // namespace lily::kernels
