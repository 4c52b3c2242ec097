// SPDX-License-Identifier: MIT
#pragma once

#include "cuda_runtime_api.h"

namespace simt {

// The GPU we are: LILY_SIMT_GPU in the environment, else H100.
const cudaDeviceProp& device_properties();

// Not where LILY_SIMT_GPU names none of ours, which is printed once: as after a wrong CUDA_VISIBLE_DEVICES.
bool has_device();

// LILY_SIMT_RUN=off in the environment: calls are checked and queued as ever, but kernels of more than one
// thread and the libraries do nothing, and memory begins as zeros. What is left of a program's time is the
// host's.
bool does_work();

}  // namespace simt
