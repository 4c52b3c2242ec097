// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <string_view>

namespace lily {

// Where memory lives and kernels run. `simt` is the software GPU, `cuda` a real one.
enum class Device : uint8_t { cpu, simt, cuda };

constexpr std::string_view name(Device device) {
    switch (device) {
        case Device::cpu:
            return "CPU";
        case Device::simt:
            return "SIMT";
        case Device::cuda:
            return "CUDA";
    }
    return "unknown";
}

}  // namespace lily
