// SPDX-License-Identifier: MIT
#include "kernels/vector/vector.h"

#include "kernels/common/fold.h"
#include "kernels/common/packs.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

struct Product {
    const float *x, *y;
    __device__ double operator()(int64_t i) const {
        return static_cast<double>(x[i]) * static_cast<double>(y[i]);
    }
};
struct Magnitude {
    const float* x;
    __device__ double operator()(int64_t i) const { return fabs(static_cast<double>(x[i])); }
};
struct Axpy {
    float alpha;
    __device__ float operator()(float x, float y) const { return y + alpha * x; }
};

// On the host: the optimiser decides by it, so this waits for the device.
template <class Term, class Fold>
double fold_on_host(Queue& queue, int64_t n, Term term, Fold fold) {
    const auto result = queue.scratch<double>(1);
    fold_terms("vector", queue, n, term, fold, 1.0, result.data());
    double value = 0;
    check(cudaMemcpyAsync(&value, result.data(), sizeof value, cudaMemcpyDeviceToHost, stream(queue)),
          "vector");
    check(cudaStreamSynchronize(stream(queue)), "vector");
    return value;
}

double dot(Queue& queue, int64_t n, const float* x, const float* y) {
    return fold_on_host(queue, n, Product{x, y}, Add{});
}
double abs_sum(Queue& queue, int64_t n, const float* x) {
    return fold_on_host(queue, n, Magnitude{x}, Add{});
}
double abs_max(Queue& queue, int64_t n, const float* x) {
    return fold_on_host(queue, n, Magnitude{x}, Maximum{});
}

void axpy(Queue& queue, int64_t n, double alpha, const float* x, float* y) {
    map("vector", queue, n, Axpy{static_cast<float>(alpha)}, y, x, static_cast<const float*>(y));
}

struct Lerp {
    float alpha;
    __device__ float operator()(float x, float y) const { return y + alpha * (x - y); }
};

void lerp(Queue& queue, int64_t n, double alpha, const float* x, float* y) {
    map("vector", queue, n, Lerp{static_cast<float>(alpha)}, y, x, static_cast<const float*>(y));
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const VectorKernels<float>& vector_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const VectorKernels<float> table{dot, abs_sum, abs_max, axpy, LILY_CUDA_DEVICE::lerp};
    return table;
}

}  // namespace lily::kernels
