// SPDX-License-Identifier: MIT
// Why a GPU cannot be used, said in one line, without one.
#include "kernels/common/gpu_info.h"

#include "kernels/common/gpu.h"
#include "tests/catch.h"

namespace lily::testing {
namespace {

using namespace kernels;
using Catch::Matchers::ContainsSubstring;

// A machine on which everything fits.
GpuInfo good() {
    return {.driver = 13000,
            .toolkit = 13000,
            .code = {80, 90, 120},
            .problem = "",
            .devices = {{"NVIDIA H100", 90, size_t{80} << 30, 132, "sm_90", ""}},
            .libraries_problem = ""};
}

}  // namespace

TEST_CASE("gpu_problem: each reason has its own line, and what helps", "[gpu]") {
    CHECK(gpu_problem(good()).empty());
    GpuInfo info = good();
    info.driver = 12020;
    CHECK(gpu_problem(info) ==
          "the NVIDIA driver is for CUDA 12.2, and this program was built with CUDA 13.0: update the driver, "
          "or "
          "build with an older toolkit");
    info.toolkit = 12080;  // an older driver of the same major version will do
    CHECK(gpu_problem(info).empty());
    info.driver = 0;
    CHECK(gpu_problem(info) == "there is no NVIDIA driver here");
    info = good();
    info.devices.clear();
    CHECK_THAT(gpu_problem(info), ContainsSubstring("no GPU"));
    info.problem = "system not yet initialized";
    CHECK(gpu_problem(info) == "system not yet initialized");
    info = good();
    info.libraries_problem = "libcudnn.so.9: cannot open shared object file: No such file or directory";
    CHECK_THAT(gpu_problem(info), ContainsSubstring("libcudnn.so.9") && ContainsSubstring("LD_LIBRARY_PATH"));
    info = good();
    info.devices[0].problem = code_problem("NVIDIA Thor", 110, info.code);
    CHECK(
        gpu_problem(info) ==
        "NVIDIA Thor has compute capability 11.0, and this build has code for 8.0, 9.0, 12.0: configure with "
        "-DCMAKE_CUDA_ARCHITECTURES=110");
    info.devices[0].problem = code_problem("NVIDIA T4", 75, info.code);  // configure would refuse 75
    CHECK(gpu_problem(info) == "NVIDIA T4 has compute capability 7.5, and the kernels need 8.0 or later");
}

TEST_CASE("gpu_info: the software GPU can be used and runs a kernel", "[gpu][simt]") {
    if (!has_gpu(Device::simt)) SKIP("this build has no software GPU");
    const GpuInfo info = gpu_info(Device::simt);
    CHECK(gpu_problem(info).empty());
    REQUIRE(info.devices.size() == 1);
    CHECK(info.devices[0].capability >= 80);
    CHECK(info.devices[0].code == "sm_" + std::to_string(info.devices[0].capability));
    CHECK(info.devices[0].memory > 0);
    CHECK(gpu_libraries(Device::simt).versions.size() == 3);
}

TEST_CASE("gpu_info: the CUDA device of this build says whether it can be used", "[gpu][cuda]") {
    if (!has_gpu(Device::cuda)) {
        CHECK_THROWS_WITH(gpu_info(Device::cuda), "[device] this build has no CUDA device");
        return;
    }
    const GpuInfo info = gpu_info(Device::cuda);
    CHECK_FALSE(info.code.empty());
    CHECK(gpu_problem(info) == gpu(Device::cuda).problem());
    // The libraries' own functions are called through ours, without a driver too.
    const GpuLibraries libraries = gpu_libraries(Device::cuda);
    if (!libraries.problem.empty()) SKIP(libraries.problem);
    REQUIRE(libraries.versions.size() == 3);
    for (const auto& [name, version] : libraries.versions) {
        INFO(name << " " << version);
        CHECK(version[0] != '0');
    }
}

}  // namespace lily::testing
