// SPDX-License-Identifier: MIT
#include "framework/device_choice.h"

#include "framework/error.h"
#include "kernels/common/gpu.h"

namespace lily {

DeviceChoice choose_device(std::string_view wanted) {
    const auto gpu = [](Device device) {
        const char* kind = device == Device::simt ? "the software GPU, posing as " : "";
        return DeviceChoice{device,
                            fmt::format("{}: {}{}", name(device), kind, kernels::gpu(device).description())};
    };
    if (wanted == "cpu") return {Device::cpu, "CPU: asked for"};
    if (wanted == "auto") {
        const std::string no_cuda = device_problem(Device::cuda);
        return no_cuda.empty() ? gpu(Device::cuda) : DeviceChoice{Device::cpu, "CPU: " + no_cuda};
    }
    check(wanted == "simt" || wanted == "cuda", "[device] expected auto, cpu, simt or cuda, got '{}'",
          wanted);
    const Device device = wanted == "simt" ? Device::simt : Device::cuda;
    const std::string problem = device_problem(device);
    check(problem.empty(), "[device] {}; --device auto takes what there is", problem);
    return gpu(device);
}

}  // namespace lily
