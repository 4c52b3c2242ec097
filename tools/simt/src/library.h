// SPDX-License-Identifier: MIT
// For the stand-ins of NVIDIA's libraries: device memory checked as a kernel's accesses are, and matrix
// products.
#pragma once

#include <cstdint>
#include <string>

#include "api.h"
#include "library_types.h"

namespace simt {

// What is wrong with `bytes` of device memory at p, or "".
std::string complaint_about(const void* p, size_t bytes);
// When the work runs: all of it alive, and what is read was written. Reports, and returns the error that
// stays.
cudaError_t check_read(const char* name, const void* site, const char* what, const void* p, size_t bytes);
void written(void* p, size_t bytes);

size_t size_of(cudaDataType type);               // 0: not known here
enum class Rounding { none, tf32, bf16, half };  // of f32 inputs, before they are multiplied
// count elements to float, and back
void load(const void* from, cudaDataType type, int64_t count, float* to, Rounding rounding);
void store(const float* from, cudaDataType type, int64_t count, void* to);

// C = alpha op(A) op(B) + beta C, column-major; C is not read where beta is 0.
struct Matrix {
    const void* data;
    cudaDataType type;
    int64_t ld;
    bool transposed;
};
void multiply(int64_t m, int64_t n, int64_t k, float alpha, const Matrix& a, const Matrix& b, float beta,
              void* c, cudaDataType c_type, int64_t ldc, Rounding rounding);

}  // namespace simt
