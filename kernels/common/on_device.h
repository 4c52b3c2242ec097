// SPDX-License-Identifier: MIT
// For formulas that the CPU and the GPUs share: LILY_SHARED functions inside of `inline namespace
// LILY_FORMULAS`. Each build of them gets names of its own, lest the linker hands one build's copy (another
// instruction set, another instrumentation) to another.
#pragma once

#define LILY_FORMULAS_JOIN(build) formulas_##build
#define LILY_FORMULAS_OF(build) LILY_FORMULAS_JOIN(build)
#ifdef LILY_CUDA_DEVICE
#include <cuda_runtime.h>
#define LILY_SHARED __host__ __device__
#define LILY_FORMULAS LILY_FORMULAS_OF(LILY_CUDA_DEVICE)
#else
#define LILY_SHARED
#define LILY_FORMULAS LILY_FORMULAS_OF(cpu)
#endif
