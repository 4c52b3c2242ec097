// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

#include "kernels/common/device.h"
#include "kernels/common/engine.h"
#include "kernels/common/queue.h"

namespace lily {

using kernels::Queue;

// Products and convolutions of f32 on GPUs may round their factors to TF32 or bf16 (sums stay f32), if
// allowed: set_product_precision(Precision::tf32), PyTorch's allow_tf32. f32 at first.
using kernels::Precision;
using kernels::product_precision;
using kernels::set_product_precision;

// The device's one queue, whose scratch memory comes from the device's allocator.
Queue& default_queue(Device device);

// Why a device cannot be used here, in a few words: "this build has no CUDA device", "no CUDA-capable device
// is detected". Empty if it can.
std::string device_problem(Device device);
inline bool is_available(Device device) { return device_problem(device).empty(); }

// Waits until everything that was asked of the device is done.
void synchronize(Device device);

// Any device to any device. When it returns, host memory has been read or written; a copy to a GPU may still
// be under way there.
void copy_bytes(Device to_device, void* to, Device from_device, const void* from, size_t bytes);

}  // namespace lily
