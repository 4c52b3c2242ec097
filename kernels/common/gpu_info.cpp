// SPDX-License-Identifier: MIT
#include "kernels/common/gpu_info.h"

#include "kernels/common/error.h"

namespace lily::kernels {

std::string version_text(int cuda_version) {
    return std::to_string(cuda_version / 1000) + "." + std::to_string(cuda_version % 1000 / 10);
}

std::string capability_text(int capability) {
    return std::to_string(capability / 10) + "." + std::to_string(capability % 10);
}

std::string code_problem(const std::string& gpu, int capability, const std::vector<int>& code) {
    constexpr int kLeast = 80;  // of cmake/cuda.cmake
    if (capability < kLeast)
        return gpu + " has compute capability " + capability_text(capability) + ", and the kernels need " +
               capability_text(kLeast) + " or later";
    std::string list;
    for (const int c : code) list += (list.empty() ? "" : ", ") + capability_text(c);
    return gpu + " has compute capability " + capability_text(capability) + ", and this build has code for " +
           list + ": configure with -DCMAKE_CUDA_ARCHITECTURES=" + std::to_string(capability);
}

std::string gpu_problem(const GpuInfo& info) {
    const std::string built = "this program was built with CUDA " + version_text(info.toolkit);
    if (info.driver == 0) return "there is no NVIDIA driver here";
    // Within a major version older drivers run newer programs.
    if (info.driver / 1000 < info.toolkit / 1000)
        return "the NVIDIA driver is for CUDA " + version_text(info.driver) + ", and " + built +
               ": update the driver, or build with an older toolkit";
    if (!info.problem.empty()) return info.problem;
    if (info.devices.empty()) return "there is a driver, but no GPU (is CUDA_VISIBLE_DEVICES set?)";
    if (!info.libraries_problem.empty())
        return info.libraries_problem + " (install it, or name its folder in LD_LIBRARY_PATH)";
    return info.devices[0].problem;
}

namespace {

// f(gpu), a Result, of the build's GPU of that name; a build may have none.
template <class Result, class F>
Result with_gpu(Device device, const F& f) {
    if constexpr (kHasSimt)
        if (device == Device::simt) return f(simt::Gpu{});
    if constexpr (kHasCuda)
        if (device == Device::cuda) return f(cuda::Gpu{});
    throw Error("[device] this build has no " + std::string(name(device)) + " device");
}

}  // namespace

GpuInfo gpu_info(Device device) {
    return with_gpu<GpuInfo>(device, [](auto gpu) { return gpu_info_on(gpu); });
}

GpuLibraries gpu_libraries(Device device) {
    return with_gpu<GpuLibraries>(device, [](auto gpu) { return gpu_libraries_on(gpu); });
}

}  // namespace lily::kernels
