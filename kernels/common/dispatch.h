// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>

#include "kernels/common/device.h"

namespace lily::kernels {

// A room's implementations, one table of functions per device; null where a device has none.
template <class Kernels>
struct Implementations {
    const Kernels* cpu = nullptr;
    const Kernels* simt = nullptr;
    const Kernels* cuda = nullptr;
};

// The table for `device`, or "[gram] has no CUDA implementation".
template <class Kernels>
const Kernels& choose(const char* room, Device device, Implementations<Kernels> tables) {
    const Kernels* table = device == Device::cpu    ? tables.cpu
                           : device == Device::simt ? tables.simt
                                                    : tables.cuda;
    if (!table)
        throw std::runtime_error("[" + std::string(room) + "] has no " + std::string(name(device)) +
                                 " implementation");
    return *table;
}

}  // namespace lily::kernels
