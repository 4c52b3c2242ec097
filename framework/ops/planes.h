// SPDX-License-Identifier: MIT
#pragma once

#include "framework/tensor.h"
#include "kernels/common/planes.h"

namespace lily {

// The maps of x (N,C,H,W), in whatever format it has, as kernels see them.
inline kernels::Planes planes_of(const char* op, const Tensor& x) {
    check(x.rank() == 4, "[{}] expected (N,C,H,W), got {}", op, x.shape());
    const int64_t channels = x.size(1);
    const int64_t lanes = x.format() == MemoryFormat::channels_last ? channels : channel_block(x.format());
    return {lanes == 0 ? 0 : x.size(0) * channels / lanes, x.size(2), x.size(3), lanes};
}

}  // namespace lily
