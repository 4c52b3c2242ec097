// SPDX-License-Identifier: MIT
// From the host's memory to the GPU's without waiting for the GPU; included by .cu files only.
#pragma once

#include "kernels/common/launch.h"

namespace lily::kernels::LILY_CUDA_DEVICE {

// When it returns, `from` has been read; `to` has it in the stream's order. Not inside of a capture: a replay
// would copy what the host has then.
void upload(const char* who, cudaStream_t stream, void* to, const void* from, size_t bytes);

}  // namespace lily::kernels::LILY_CUDA_DEVICE
