// SPDX-License-Identifier: MIT
// cuDNN's convolutions for kernels/conv2d. All calls of the library are in cudnn.cu.
#pragma once

#include <memory>
#include <string>

#include "kernels/common/engine.h"
#include "kernels/common/launch.h"

namespace lily::kernels::LILY_CUDA_DEVICE {

struct CudnnShape {
    int n, c, h, w, k, r, s, out_h, out_w;
    int stride[2], padding[2], dilation[2];
    int groups;
    float weight_scale;
};
enum class CudnnPass : uint8_t { forward, data, weights };

// One pass over one shape: descriptors, and the algorithm with its workspace. The algorithm is the first of
// cuDNN's own ranking, or with `measured` the fastest, that is deterministic and whose workspace is at most
// LILY_CUDNN_WORKSPACE_MB (256 if that is not set). TF32 where `precision` allows it, and where it allows
// bf16, which cuDNN does not have for maps of f32.
class CudnnConvolution {
  public:
    // null: cuDNN has nothing for this shape
    static std::unique_ptr<CudnnConvolution> make(const char* who, const CudnnShape& shape, CudnnPass pass,
                                                  Precision precision, bool measured);
    virtual ~CudnnConvolution() = default;

    virtual std::string algorithm() const = 0;  // for people: "cuDNN winograd"
    // Each takes w as weight_scale · w. y = x * w + bias (or null), with relu its positive part, in which NaN
    // may be 0
    virtual void forward(Queue& queue, const float* x, const float* w, const float* bias, bool relu,
                         float* y) = 0;
    virtual void backward_data(Queue& queue, const float* w, const float* dy, bool add, float* dx) = 0;
    virtual void backward_weights(Queue& queue, const float* x, const float* dy, float* dw) = 0;
};

}  // namespace lily::kernels::LILY_CUDA_DEVICE
