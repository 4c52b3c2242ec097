// SPDX-License-Identifier: MIT
// The lines bear the comment "arithmetic: <name>".
#include "tests/simt/arithmetic.h"

namespace lily::testing {
namespace {

__global__ void indexed_kernel(const float* x, float* y, int row, int columns, bool wide) {
    if (wide)
        y[0] = x[static_cast<int64_t>(row) * columns % 64];
    else
        y[0] = x[row * columns % 64];  // arithmetic: indexed
}

__global__ void shifted_kernel(unsigned* y, int by) {
    y[threadIdx.x] = 1u << by;  // arithmetic: shifted
}

__global__ void added_kernel(int* y, int a, int b) {
    y[threadIdx.x] = a + b;  // arithmetic: added
}

__global__ void hashed_kernel(unsigned* y, unsigned seed) {
    y[threadIdx.x] = (seed + threadIdx.x) * 2654435761u;
}

}  // namespace

cudaError_t indexed(const Shape& shape, const float* x, float* y, int row, int columns, bool wide) {
    return launch(shape, indexed_kernel, x, y, row, columns, wide);
}
cudaError_t shifted(const Shape& shape, unsigned* y, int by) { return launch(shape, shifted_kernel, y, by); }
cudaError_t added(const Shape& shape, int* y, int a, int b) { return launch(shape, added_kernel, y, a, b); }
cudaError_t hashed(const Shape& shape, unsigned* y, unsigned seed) {
    return launch(shape, hashed_kernel, y, seed);
}

}  // namespace lily::testing
