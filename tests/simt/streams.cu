// SPDX-License-Identifier: MIT
// The lines bear the comment "stream: <name>".
#include "tests/simt/streams.h"

namespace lily::testing {
namespace {

__device__ int global_index() { return static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x); }

__global__ void fill_kernel(float* y, float value) {
    y[global_index()] = value;  // stream: fill
}

__global__ void copy_kernel(const float* x, float* y) {
    const float value = x[global_index()];  // stream: copy
    y[global_index()] = value;
}

__global__ void copy_first_kernel(const float* x, float* y) {
    const float value = x[0];  // stream: copy_first
    y[global_index()] = value;
}

__global__ void add_atomically_kernel(float* y) {
    atomicAdd(y, 1.0f);  // stream: add_atomically
}

__global__ void divide_unless_zero_kernel(const float* x, float* y) {
    const float value = x[global_index()];
    if (value != 0) y[global_index()] = 1 / value;  // stream: divide_unless_zero
}

}  // namespace

cudaError_t fill(const Shape& shape, float* y, float value) { return launch(shape, fill_kernel, y, value); }
cudaError_t copy(const Shape& shape, const float* x, float* y) { return launch(shape, copy_kernel, x, y); }
cudaError_t copy_first(const Shape& shape, const float* x, float* y) {
    return launch(shape, copy_first_kernel, x, y);
}
cudaError_t divide_unless_zero(const Shape& shape, const float* x, float* y) {
    return launch(shape, divide_unless_zero_kernel, x, y);
}
cudaError_t add_atomically(const Shape& shape, float* y) { return launch(shape, add_atomically_kernel, y); }

}  // namespace lily::testing
