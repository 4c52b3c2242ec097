// SPDX-License-Identifier: MIT
// How a room's table of functions is found: the CPU's stands in *_cpu.cpp; the GPUs' stand in the .cu file,
// which is compiled twice, for the software GPU (namespace simt) and for a real one (namespace cuda). The
// file defines
//     const GramKernels<float>& gram_on(LILY_CUDA_DEVICE::Gpu)
// and nothing is registered: `grep gram_on` shows both ends.
#pragma once

#include <string>
#include <type_traits>

#include "kernels/common/device.h"
#include "kernels/common/error.h"

namespace lily::kernels {

namespace simt {
struct Gpu {};
}  // namespace simt
namespace cuda {
struct Gpu {};
}  // namespace cuda

// Which of the two this build has.
#ifdef LILY_HAS_SIMT
inline constexpr bool kHasSimt = true;
#else
inline constexpr bool kHasSimt = false;
#endif
#ifdef LILY_HAS_CUDA
inline constexpr bool kHasCuda = true;
#else
inline constexpr bool kHasCuda = false;
#endif

// The table for `device`, or "[gram] has no CUDA implementation". on_gpu(gpu): that GPU's table, of whatever
// dtype it has; called only for GPUs of this build, so that the others need not exist for the linker.
template <class Kernels, class OnGpu>
const Kernels& choose(const char* room, Device device, const Kernels& cpu, const OnGpu& on_gpu) {
    if (device == Device::cpu) return cpu;
    const char* reason = "";
    if constexpr (kHasSimt || kHasCuda) {
        if constexpr (std::is_same_v<decltype(on_gpu(simt::Gpu{})), const Kernels&>) {
            if constexpr (kHasSimt)
                if (device == Device::simt) return on_gpu(simt::Gpu{});
            if constexpr (kHasCuda)
                if (device == Device::cuda) return on_gpu(cuda::Gpu{});
        } else if ((kHasSimt && device == Device::simt) || (kHasCuda && device == Device::cuda)) {
            reason = " of this dtype: use f32";
        }
    }
    throw Error("[" + std::string(room) + "] has no " + std::string(name(device)) + " implementation" +
                reason);
}

}  // namespace lily::kernels
