// SPDX-License-Identifier: MIT
#include "models/metrics/symmetric_eigen.h"

#include <algorithm>
#include <cmath>

#include "framework/error.h"

namespace lily::models {
namespace {

constexpr int kMostSweeps = 60;

// x, y of two rows turned by the angle whose cosine and sine are c and s.
void rotate(double* x, double* y, size_t n, double c, double s) {
    for (size_t k = 0; k < n; ++k) {
        const double xk = x[k], yk = y[k];
        x[k] = c * xk - s * yk;
        y[k] = s * xk + c * yk;
    }
}

}  // namespace

SymmetricEigen symmetric_eigen(std::vector<double> a, int64_t size) {
    const auto n = static_cast<size_t>(size);
    check(size >= 0 && a.size() == n * n, "[symmetric_eigen] expected {} elements, got {}", n * n, a.size());
    double norm = 0;
    for (size_t i = 0; i < n; ++i)
        for (size_t j = 0; j <= i; ++j) {
            check(std::isfinite(a[i * n + j]), "[symmetric_eigen] element ({},{}) is {}", i, j, a[i * n + j]);
            a[j * n + i] = a[i * n + j];
            norm += (i == j ? 1 : 2) * a[i * n + j] * a[i * n + j];
        }
    std::vector<double> vt(n * n);  // Vᵀ: rows are turned, and lie side by side
    for (size_t i = 0; i < n; ++i) vt[i * n + i] = 1;

    for (int sweep = 0;; ++sweep) {
        double rest = 0;
        for (size_t i = 0; i < n; ++i)
            for (size_t j = 0; j < i; ++j) rest += 2 * a[i * n + j] * a[i * n + j];
        if (rest <= 1e-30 * norm) break;
        check(sweep < kMostSweeps, "[symmetric_eigen] no convergence in {} sweeps", kMostSweeps);
        for (size_t p = 0; p < n; ++p)
            for (size_t q = p + 1; q < n; ++q) {
                const double apq = a[p * n + q];
                if (apq == 0) continue;
                const double theta = (a[q * n + q] - a[p * n + p]) / (2 * apq);
                const double t = std::copysign(1 / (std::fabs(theta) + std::hypot(theta, 1)), theta);
                const double c = 1 / std::hypot(t, 1), s = t * c;
                for (size_t k = 0; k < n; ++k) {  // A J, then Jᵀ (A J)
                    const double kp = a[k * n + p], kq = a[k * n + q];
                    a[k * n + p] = c * kp - s * kq;
                    a[k * n + q] = s * kp + c * kq;
                }
                rotate(&a[p * n], &a[q * n], n, c, s);
                rotate(&vt[p * n], &vt[q * n], n, c, s);
            }
    }
    SymmetricEigen result{std::vector<double>(n), std::vector<double>(n * n)};
    for (size_t i = 0; i < n; ++i) {
        result.values[i] = a[i * n + i];
        for (size_t k = 0; k < n; ++k) result.vectors[k * n + i] = vt[i * n + k];
    }
    return result;
}

std::vector<double> singular_values(std::vector<double> a, int64_t size) {
    const auto n = static_cast<size_t>(size);
    check(size >= 0 && a.size() == n * n, "[singular_values] expected {} elements, got {}", n * n, a.size());
    double norm = 0;
    for (const double x : a) norm += x * x;
    check(std::isfinite(norm), "[singular_values] expected finite elements");
    const auto dot = [n](const double* x, const double* y) {
        double sum = 0;
        for (size_t k = 0; k < n; ++k) sum += x[k] * y[k];
        return sum;
    };
    bool turned = true;
    for (int sweep = 0; turned; ++sweep) {
        check(sweep < kMostSweeps, "[singular_values] no convergence in {} sweeps", kMostSweeps);
        turned = false;
        for (size_t p = 0; p < n; ++p)
            for (size_t q = p + 1; q < n; ++q) {
                double *x = &a[p * n], *y = &a[q * n];
                const double xx = dot(x, x), yy = dot(y, y), xy = dot(x, y);
                if (std::fabs(xy) <= 1e-14 * std::sqrt(xx * yy) || std::fabs(xy) <= 1e-32 * norm) continue;
                turned = true;
                const double theta = (yy - xx) / (2 * xy);
                const double t = std::copysign(1 / (std::fabs(theta) + std::hypot(theta, 1)), theta);
                const double c = 1 / std::hypot(t, 1);
                rotate(x, y, n, c, t * c);
            }
    }
    std::vector<double> values(n);
    for (size_t i = 0; i < n; ++i) values[i] = std::sqrt(dot(&a[i * n], &a[i * n]));
    return values;
}

std::vector<double> symmetric_sqrt(const std::vector<double>& a, int64_t size) {
    const SymmetricEigen eigen = symmetric_eigen(a, size);
    const auto n = static_cast<size_t>(size);
    std::vector<double> root(n * n);
    for (size_t k = 0; k < n; ++k) {
        const double value = std::sqrt(std::max(eigen.values[k], 0.0));
        for (size_t i = 0; i < n; ++i)
            for (size_t j = 0; j < n; ++j)
                root[i * n + j] += value * eigen.vectors[i * n + k] * eigen.vectors[j * n + k];
    }
    return root;
}

}  // namespace lily::models
