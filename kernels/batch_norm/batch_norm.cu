// SPDX-License-Identifier: MIT
// A block computes everything of its channels: 32 of them, 8 threads each, where a row's channels are
// neighbours (inner = 1), else one with all 256 threads.
#include "kernels/batch_norm/batch_norm.h"

#include "kernels/common/index.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

constexpr int kThreads = 256;

// This thread's channel, its place among the threads of that channel, and which elements are its own.
template <int kChannels>
struct Share {
    static constexpr int kLayers = kThreads / kChannels;
    BatchNormShape s;
    int64_t channel = static_cast<int64_t>(blockIdx.x) * kChannels + threadIdx.x % kChannels;
    int layer = static_cast<int>(threadIdx.x) / kChannels;

    __device__ bool inside() const { return channel < s.channels; }
    template <class Body>
    __device__ void each(const Body& body) const {
        if (!inside()) return;
        for (int64_t k = layer; k < s.n * s.inner; k += kLayers) {
            const auto [row, i] = divide(k, s.inner);
            body((row * s.channels + channel) * s.inner + i);
        }
    }
    // Σ term(i) over the channel's elements; all of its threads get it. The whole block has to call.
    template <class Term>
    __device__ double sum(const Term& term) const {
        __shared__ double partial[kThreads];
        double total = 0;
        each([&](int64_t i) { total += term(i); });
        __syncthreads();  // an earlier sum's readers have gone
        partial[threadIdx.x] = total;
        for (int step = kLayers / 2; step > 0; step /= 2) {
            __syncthreads();
            if (layer < step) partial[threadIdx.x] += partial[threadIdx.x + step * kChannels];
        }
        __syncthreads();
        return partial[threadIdx.x % kChannels];
    }
};

struct Arrays {
    const float *x, *weight, *bias;
    __device__ float scale(int64_t channel) const { return weight ? weight[channel] : 1.0f; }
    __device__ float shift(int64_t channel) const { return bias ? bias[channel] : 0.0f; }
};

// One channel's: μ = mean + rest.
struct Statistics {
    float mean, rest, rstd;

    __device__ static Statistics of(const float* all, int64_t channels, int64_t c) {
        return {all[c], all[channels + c], all[2 * channels + c]};
    }
    __device__ void write(float* all, int64_t channels, int64_t c) const {
        all[c] = mean;
        all[channels + c] = rest;
        all[2 * channels + c] = rstd;
    }
};

// y = (x - mean) scale + shift
template <int kChannels>
__device__ void normalise(const Share<kChannels>& own, const Arrays& a, Statistics of, float* statistics,
                          float* y) {
    const int64_t c = own.channel;
    if (own.layer == 0) of.write(statistics, own.s.channels, c);
    const float scale = of.rstd * a.scale(c);
    const float shift = of.rest != 0 ? a.shift(c) - of.rest * scale : a.shift(c);
    own.each([&](int64_t i) { y[i] = (a.x[i] - of.mean) * scale + shift; });
}

template <int kChannels>
__global__ void __launch_bounds__(kThreads, 2)
    train_kernel(BatchNormShape s, double momentum, Arrays a, float* running_mean, float* running_var,
                 float* statistics, float* y) {
    const Share<kChannels> own{s};
    const auto m = static_cast<double>(s.n * s.inner);
    const double center = own.sum([&](int64_t i) { return static_cast<double>(a.x[i]); }) / m;
    const double squares = own.sum([&](int64_t i) {
        const double d = a.x[i] - center;
        return d * d;
    });
    if (!own.inside()) return;
    const int64_t c = own.channel;
    if (own.layer == 0 && running_mean) {
        running_mean[c] = static_cast<float>((1 - momentum) * running_mean[c] + momentum * center);
        running_var[c] = static_cast<float>((1 - momentum) * running_var[c] + momentum * squares / (m - 1));
    }
    const float mean = static_cast<float>(center);
    normalise(own, a,
              {mean, static_cast<float>(center - mean), static_cast<float>(1 / sqrt(squares / m + s.eps))},
              statistics, y);
}

template <int kChannels>
__global__ void __launch_bounds__(kThreads, 2) eval_kernel(BatchNormShape s, Arrays a, const float* mean,
                                                           const float* var, float* statistics, float* y) {
    const Share<kChannels> own{s};
    if (!own.inside()) return;
    const int64_t c = own.channel;
    normalise(own, a, {mean[c], 0, static_cast<float>(1 / sqrt(var[c] + s.eps))}, statistics, y);
}

template <int kChannels>
__global__ void __launch_bounds__(kThreads, 2)
    backward_kernel(BatchNormShape s, bool constant, Arrays a, const float* statistics, const float* dy,
                    float* dx, float* dweight, float* dbias) {
    const Share<kChannels> own{s};
    const int64_t c = own.channel;
    const Statistics of = own.inside() ? Statistics::of(statistics, s.channels, c) : Statistics{0, 0, 0};
    const float scale = own.inside() ? of.rstd * a.scale(c) : 0;
    double sum_dy = 0, sum_dyx = 0;
    if (!constant || dweight || dbias) {
        sum_dy = own.sum([&](int64_t i) { return static_cast<double>(dy[i]); });
        sum_dyx = own.sum([&](int64_t i) {
            return static_cast<double>(dy[i]) * static_cast<double>((a.x[i] - of.mean) * of.rstd);
        });
        if (!constant) sum_dyx -= static_cast<double>(of.rest * of.rstd) * sum_dy;
    }
    if (!own.inside()) return;
    if (own.layer == 0) {
        if (dweight) dweight[c] = static_cast<float>(sum_dyx);
        if (dbias) dbias[c] = static_cast<float>(sum_dy);
    }
    if (!dx) return;
    if (constant) return own.each([&](int64_t i) { dx[i] = scale * dy[i]; });
    // w r (dy - even - (slight + (x - mean) tilt)), with even + slight = db / m - rest tilt
    const auto m = static_cast<double>(s.n * s.inner);
    const double slope = of.rstd * sum_dyx / m, offset = sum_dy / m - of.rest * slope;
    const float tilt = static_cast<float>(slope), even = static_cast<float>(offset);
    const float slight = static_cast<float>(offset - even);
    own.each([&](int64_t i) { dx[i] = scale * (dy[i] - even - (slight + (a.x[i] - of.mean) * tilt)); });
}

// run(kernel's channels per block, as a constant; grid)
template <class Run>
void choose_kernel(const BatchNormShape& s, const Run& run) {
    constexpr int kNeighbours = 32;
    if (s.inner == 1)
        run(std::integral_constant<int, kNeighbours>{},
            Grid{blocks_for(s.channels, kNeighbours), dim3(kThreads)});
    else
        run(std::integral_constant<int, 1>{}, Grid{blocks_for(s.channels, 1), dim3(kThreads)});
}

void train(Queue& queue, BatchNormShape s, double momentum, const float* x, const float* weight,
           const float* bias, float* running_mean, float* running_var, float* statistics, float* y) {
    choose_kernel(s, [&](auto channels, const Grid& grid) {
        launch("batch_norm", queue, grid, train_kernel<channels.value>, s, momentum, Arrays{x, weight, bias},
               running_mean, running_var, statistics, y);
    });
}

void eval(Queue& queue, BatchNormShape s, const float* x, const float* weight, const float* bias,
          const float* mean, const float* var, float* statistics, float* y) {
    choose_kernel(s, [&](auto channels, const Grid& grid) {
        launch("batch_norm", queue, grid, eval_kernel<channels.value>, s, Arrays{x, weight, bias}, mean, var,
               statistics, y);
    });
}

void backward(Queue& queue, BatchNormShape s, bool constant, const float* x, const float* weight,
              const float* statistics, const float* dy, float* dx, float* dweight, float* dbias) {
    choose_kernel(s, [&](auto channels, const Grid& grid) {
        launch("batch_norm", queue, grid, backward_kernel<channels.value>, s, constant,
               Arrays{x, weight, nullptr}, statistics, dy, dx, dweight, dbias);
    });
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const BatchNormKernels<float>& batch_norm_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const BatchNormKernels<float> table{train, eval, backward};
    return table;
}

}  // namespace lily::kernels
