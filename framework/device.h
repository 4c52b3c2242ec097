// SPDX-License-Identifier: MIT
#pragma once

#include "kernels/common/device.h"
#include "kernels/common/queue.h"

namespace lily {

using kernels::Queue;

// The device's one queue, whose scratch memory comes from the device's allocator.
Queue& default_queue(Device device);

}  // namespace lily
