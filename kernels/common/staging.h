// SPDX-License-Identifier: MIT
// Between the host's memory and the GPU's without waiting for the GPU; included by .cu files only.
#pragma once

#include "kernels/common/launch.h"

namespace lily::kernels::LILY_CUDA_DEVICE {

// When it returns, `from` has been read; `to` has it in the stream's order. Not inside of a capture: a replay
// would copy what the host has then.
void upload(const char* who, cudaStream_t stream, void* to, const void* from, size_t bytes);

// A few numbers on their way to the host. Each is finished once, which waits for the copy and for nothing
// behind it; with `to` null nobody waits.
struct Download;
Download* download(const char* who, cudaStream_t stream, const void* from, size_t bytes);
void finish_download(const char* who, Download* download, void* to, size_t bytes);

}  // namespace lily::kernels::LILY_CUDA_DEVICE
