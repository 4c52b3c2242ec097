// SPDX-License-Identifier: MIT
#pragma once

#include "cuda_runtime_api.h"

namespace simt {

// The GPU we are: LILY_SIMT_GPU in the environment, else H100.
const cudaDeviceProp& device_properties();

}  // namespace simt
