// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <vector>

namespace lily::models {

// A = V diag(values) Vᵀ of a symmetric matrix (n,n), row-major; V's columns are the vectors. In no order.
struct SymmetricEigen {
    std::vector<double> values;   // (n)
    std::vector<double> vectors;  // (n,n): V
};

// Jacobi's method: rotations that set one element after the other to 0, until all outside of the diagonal
// are. Exact to rounding; n³ per sweep, some ten sweeps. Only the lower half of A is read.
SymmetricEigen symmetric_eigen(std::vector<double> a, int64_t n);

// The singular values of a matrix (n,n), in no order: rows are turned in pairs until all are orthogonal
// (Hestenes). Exact to rounding of the largest, which the roots of A Aᵀ's eigenvalues are not.
std::vector<double> singular_values(std::vector<double> a, int64_t n);

// V √max(diag(values), 0) Vᵀ: the root of a covariance, whose smallest values may be negative by rounding.
std::vector<double> symmetric_sqrt(const std::vector<double>& a, int64_t n);

}  // namespace lily::models
