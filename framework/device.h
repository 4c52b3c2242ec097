// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <string>

#include "kernels/common/device.h"
#include "kernels/common/queue.h"

namespace lily {

using kernels::Queue;

// The device's one queue, whose scratch memory comes from the device's allocator.
Queue& default_queue(Device device);

// Why a device cannot be used here, in a few words: "this build has no CUDA device", "no CUDA-capable device
// is detected". Empty if it can.
std::string device_problem(Device device);
inline bool is_available(Device device) { return device_problem(device).empty(); }

// Waits until everything that was asked of the device is done.
void synchronize(Device device);

// Any device to any device. When it returns, host memory has been read or written.
void copy_bytes(Device to_device, void* to, Device from_device, const void* from, size_t bytes);

}  // namespace lily
