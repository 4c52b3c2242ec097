// SPDX-License-Identifier: MIT
#include "kernels/vector/vector.h"

#include <vector>

#include "kernels/common/fold.h"
#include "kernels/common/many.h"

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
double on_host(Queue& queue, const double* result) {
    double value = 0;
    check(cudaMemcpyAsync(&value, result, sizeof value, cudaMemcpyDeviceToHost, stream(queue)), "vector");
    check(cudaStreamSynchronize(stream(queue)), "vector");
    return value;
}
template <class Term, class Fold>
double fold_on_host(Queue& queue, int64_t n, Term term, Fold fold) {
    const auto result = queue.scratch<double>(1);
    fold_terms("vector", queue, n, term, fold, 1.0, result.data());
    return on_host(queue, result.data());
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

struct Slice {
    int64_t n;
    const float* x;
    float* y;
    uint32_t first_block;
    bool packed;
};

std::vector<Slice> slices_of(std::span<const VectorPair<float>> pairs) {
    std::vector<Slice> slices;
    for (const VectorPair<float>& a : pairs) slices.push_back({a.n, a.x, a.y, 0, packable(a.x, a.y)});
    return slices;
}

// partial[block] = Σ x² of its piece
struct Squares {
    double* partial;
    __device__ void operator()(const Slice& a, int64_t begin, int64_t end) const {
        double sum = 0;
        for (int64_t i = begin + threadIdx.x * kPack; i < end; i += kManyThreads * kPack) {
            const Pack<float> x = load_pack(a.x, i, a.n, a.packed);
            for (int k = 0; k < kPack; ++k)
                sum += static_cast<double>(x.lane[k]) * static_cast<double>(x.lane[k]);
        }
        sum = block_reduce<kManyThreads>(sum, Add{});
        if (threadIdx.x == 0) partial[blockIdx.x] = sum;
    }
};

// *result = Σ x² over all of them; a Result is made of a double
template <class Result>
void sum_squares(Queue& queue, std::span<const VectorPair<float>> pairs, Result* result) {
    std::vector<Slice> slices = slices_of(pairs);
    const int64_t blocks = place_pieces(slices);
    const auto sums = queue.scratch<double>(blocks);
    for_each_piece("vector", queue, slices, blocks, Squares{sums.data()});
    fold_rest("vector", queue, blocks, sums.data(), Add{}, 1.0, result);
}

double squares(Queue& queue, std::span<const VectorPair<float>> pairs) {
    const auto result = queue.scratch<double>(1);
    sum_squares(queue, pairs, result.data());
    return on_host(queue, result.data());
}

// What y = α x and y += α (x - y) are multiplied by.
struct Given {
    float alpha;
    const float* replayed;
    __device__ float operator()() const { return replayed ? *replayed : alpha; }
};
struct ToNorm {
    double most;
    const double* norm;
    __device__ float operator()() const {
        const double factor = most / (*norm + 1e-6);
        return factor >= 1 ? 1 : static_cast<float>(factor);
    }
};

// y = α x, or what is between y and x
template <bool kLerp, class Factor>
struct Towards {
    Factor factor;
    __device__ void operator()(const Slice& a, int64_t begin, int64_t end) const {
        const float alpha = factor();
        for (int64_t i = begin + threadIdx.x * kPack; i < end; i += kManyThreads * kPack) {
            const Pack<float> x = load_pack(a.x, i, a.n, a.packed);
            Pack<float> y;
            if constexpr (kLerp) y = load_pack<float>(a.y, i, a.n, a.packed);
            for (int k = 0; k < kPack; ++k)
                if constexpr (kLerp)
                    y.lane[k] += alpha * (x.lane[k] - y.lane[k]);
                else
                    y.lane[k] = alpha * x.lane[k];
            store_pack(a.y, i, a.n, a.packed, y);
        }
    }
};

template <bool kLerp, class Factor>
void towards(Queue& queue, Factor factor, std::span<const VectorPair<float>> pairs) {
    std::vector<Slice> slices = slices_of(pairs);
    const int64_t blocks = place_pieces(slices);
    for_each_piece("vector", queue, slices, blocks, Towards<kLerp, Factor>{factor});
}

void scale(Queue& queue, double alpha, std::span<const VectorPair<float>> pairs) {
    towards<false>(queue, Given{static_cast<float>(alpha), nullptr}, pairs);
}
void lerp(Queue& queue, VectorFactor alpha, std::span<const VectorPair<float>> pairs) {
    towards<true>(queue, Given{static_cast<float>(alpha.value), alpha.replayed}, pairs);
}

struct Root {
    double value;
    __device__ explicit Root(double sum) : value(sqrt(sum)) {}
};
void clip(Queue& queue, double most, std::span<const VectorPair<float>> pairs, double* norm) {
    static_assert(sizeof(Root) == sizeof(double));
    sum_squares(queue, pairs, reinterpret_cast<Root*>(norm));
    towards<false>(queue, ToNorm{most, norm}, pairs);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const VectorKernels<float>& vector_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const VectorKernels<float> table{dot, abs_sum, abs_max, axpy, squares, scale, lerp, clip};
    return table;
}

}  // namespace lily::kernels
