// SPDX-License-Identifier: MIT
// Handles and descriptors of the stand-in of cuDNN.
#pragma once

#include <string>

#include "api.h"
#include "convolution.h"
#include "cudnn.h"

inline namespace simt_cuda {

struct cudnnContext {
    cudaStream_t stream = nullptr;
};
struct cudnnTensorStruct {
    simt::Layout layout{};
    bool set = false;
};
struct cudnnFilterStruct {
    simt::Layout layout{};
    bool set = false;
};
struct cudnnConvolutionStruct {
    simt::Convolution convolution{{0, 0}, {1, 1}, {1, 1}, 1, false, simt::Rounding::tf32};
    cudnnMathType_t math = CUDNN_DEFAULT_MATH;
    bool set = false;
};
struct cudnnActivationStruct {
    cudnnActivationMode_t mode = CUDNN_ACTIVATION_IDENTITY;
    cudnnNanPropagation_t nan = CUDNN_NOT_PROPAGATE_NAN;
    bool set = false;
};

}  // namespace simt_cuda

namespace simt {

bool is_cudnn_handle(cudnnHandle_t handle);
cudnnStatus_t refuse(const Call& call, cudnnStatus_t status, const std::string& why);

}  // namespace simt
