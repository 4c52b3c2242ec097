// SPDX-License-Identifier: MIT
#include "framework/device.h"

#include <cstring>
#include <vector>

#include "framework/capture.h"
#include "framework/error.h"
#include "kernels/common/gpu.h"

namespace lily {

std::string device_problem(Device device) {
    if (device == Device::cpu) return "";
    if (!kernels::has_gpu(device)) return fmt::format("this build has no {} device", name(device));
    return kernels::gpu(device).problem();
}

void synchronize(Device device) {
    refuse_in_capture("synchronize", "wait");
    if (device != Device::cpu) kernels::gpu(device).wait(default_queue(device).stream());
}

void copy_bytes(Device to_device, void* to, Device from_device, const void* from, size_t bytes) {
    if (bytes == 0) return;
    const auto copy = [bytes](Device gpu, kernels::CopyKind kind, void* target, const void* source) {
        kernels::gpu(gpu).copy(default_queue(gpu).stream(), kind, target, source, bytes);
    };
    if (to_device == Device::cpu && from_device == Device::cpu) {
        std::memmove(to, from, bytes);
    } else if (to_device == from_device) {
        copy(to_device, kernels::CopyKind::on_gpu, to, from);
    } else if (from_device == Device::cpu) {
        refuse_in_capture("copy", kCopiesFromHost);
        copy(to_device, kernels::CopyKind::to_gpu, to, from);
    } else if (to_device == Device::cpu) {
        refuse_in_capture("copy", kReadsBack);
        copy(from_device, kernels::CopyKind::to_host, to, from);
    } else {  // from one GPU to another, through the host
        std::vector<std::byte> between(bytes);
        copy(from_device, kernels::CopyKind::to_host, between.data(), from);
        copy(to_device, kernels::CopyKind::to_gpu, to, between.data());
    }
}

}  // namespace lily
