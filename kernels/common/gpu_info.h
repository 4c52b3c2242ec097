// SPDX-License-Identifier: MIT
// What there is of a device on this machine, and why it cannot be used, in one line per fact.
#pragma once

#include <climits>
#include <cstddef>
#include <string>
#include <vector>

#include "kernels/common/dispatch.h"

namespace lily::kernels {

struct GpuDevice {
    std::string name;
    int capability;  // 90: compute capability 9.0
    size_t memory;   // bytes
    int multiprocessors;
    std::string code;  // what of this build it runs, "sm_90"; empty: nothing, and `problem` says why
    std::string problem;
};

struct GpuInfo {
    int driver, toolkit;             // 13000: CUDA 13.0; the driver is for this version, 0: there is none
    std::vector<int> code;           // 80, 90: the compute capabilities that this build has code for
    std::string problem;             // of the runtime, "" or its own words
    std::vector<GpuDevice> devices;  // the first is the one that is used
    std::string libraries_problem;   // "" or which is missing
};
GpuInfo gpu_info(Device device);  // throws "[device] this build has no CUDA device"
// Only the first few devices: what is looked at gets a context, which takes its memory.
GpuInfo gpu_info_on(simt::Gpu, int most_devices = INT_MAX);  // gpu_info.cu
GpuInfo gpu_info_on(cuda::Gpu, int most_devices = INT_MAX);

// cuBLAS and its like, loaded for the question if need be.
struct LibraryVersion {
    std::string name, version;
};
struct GpuLibraries {
    std::string problem;  // "" or which is missing; then there are no versions
    std::vector<LibraryVersion> versions;
};
GpuLibraries gpu_libraries(Device device);
GpuLibraries gpu_libraries_on(simt::Gpu);
GpuLibraries gpu_libraries_on(cuda::Gpu);

// "" if its first device can be used, else why not and what helps.
std::string gpu_problem(const GpuInfo& info);
// Of a device that cannot run this build's code.
std::string code_problem(const std::string& gpu, int capability, const std::vector<int>& code);
std::string version_text(int cuda_version);   // 12040: "12.4"
std::string capability_text(int capability);  // 90: "9.0"

}  // namespace lily::kernels
