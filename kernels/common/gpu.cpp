// SPDX-License-Identifier: MIT
#include "kernels/common/gpu.h"

#include "kernels/common/error.h"

namespace lily::kernels {

bool has_gpu(Device device) {
    return (kHasSimt && device == Device::simt) || (kHasCuda && device == Device::cuda);
}

const GpuRuntime& gpu(Device device) {
    if constexpr (kHasSimt)
        if (device == Device::simt) return gpu_on(simt::Gpu{});
    if constexpr (kHasCuda)
        if (device == Device::cuda) return gpu_on(cuda::Gpu{});
    throw Error("[device] this build has no " + std::string(name(device)) + " device");
}

}  // namespace lily::kernels
