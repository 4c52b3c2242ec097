// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

#include "framework/device.h"

namespace lily {

// What `--device auto|cpu|simt|cuda` asks for. auto: the CUDA device if it can be used, else the CPU.
struct DeviceChoice {
    Device device;
    std::string reason;  // one line: "CUDA: NVIDIA H100 (compute capability 9.0)", "CPU: this build has no
                         // …", "SIMT: the software GPU, posing as NVIDIA H100 …"
};
DeviceChoice choose_device(std::string_view name);

}  // namespace lily
