// SPDX-License-Identifier: MIT
#include "kernels/total_variation/total_variation.h"

#include "kernels/common/fold.h"
#include "kernels/common/index.h"
#include "kernels/common/packs.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

// Pixel i against its neighbours: |differences| below and to the right; if wanted, its slope is left behind.
struct Differences {
    PictureShape s;
    const float* x;
    uint8_t* slopes;
    __device__ double operator()(int64_t i) const {
        const auto [row, w] = divide(i, s.width);
        const int64_t h = divide(row, s.height).remainder;
        const float here = x[i];
        double sum = 0;
        int slope = 0;
        const auto look_at = [&](float there) {
            slope += (here > there) - (here < there);  // sign(here - there); the difference may overflow
            return fabsf(there - here);
        };
        if (w + 1 < s.width) sum += look_at(x[i + 1]);
        if (h + 1 < s.height) sum += look_at(x[i + s.width]);
        if (slopes) {
            if (w > 0) look_at(x[i - 1]);
            if (h > 0) look_at(x[i - s.width]);
            slopes[i] = static_cast<uint8_t>(slope + kNoSlope);
        }
        return sum;
    }
};

void forward(Queue& queue, PictureShape s, const float* x, float* y, uint8_t* slopes) {
    fold_terms("total_variation", queue, s.planes * s.height * s.width, Differences{s, x, slopes}, Add{}, 1.0,
               y);
}

// dx = dy · s
struct Gradient {
    const float* dy;
    __device__ float operator()(uint8_t slope) const {
        return *dy * static_cast<float>(static_cast<int>(slope) - kNoSlope);
    }
};

void backward(Queue& queue, int64_t n, const uint8_t* slopes, const float* dy, float* dx) {
    map("total_variation", queue, n, Gradient{dy}, dx, slopes);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const TotalVariationKernels<float>& total_variation_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const TotalVariationKernels<float> table{forward, backward};
    return table;
}

}  // namespace lily::kernels
