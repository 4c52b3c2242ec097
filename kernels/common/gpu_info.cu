// SPDX-License-Identifier: MIT
#include "kernels/common/gpu_info.h"

#include <cublasLt.h>
#include <cublas_v2.h>
#include <cudnn.h>

#include <algorithm>

#include "kernels/common/launch.h"
#ifdef __CUDACC__
#include "kernels/common/cuda_libraries.h"
#endif

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

__global__ void __launch_bounds__(1) probe_kernel(int* answer) { *answer = 42; }

std::string problem_of_libraries() {
#ifdef __CUDACC__
    return libraries_problem();
#else
    return "";
#endif
}

std::vector<int> code_of_this_build() {
#ifdef __CUDACC__
    std::vector<int> found{__CUDA_ARCH_LIST__};
    for (int& capability : found) capability /= 10;
    return found;
#else
    return {};  // the software GPU runs as any
#endif
}

std::string in_words(cudaError_t error) {
    cudaGetLastError();
    return cudaGetErrorString(error);
}

// Runs a kernel on the device, and says what code of it ran. Memory is asked for as tensors do it.
cudaError_t try_device(int device, cudaFuncAttributes& attributes) {
    int before = 0, got = 0;
    int* answer = nullptr;
    cudaError_t error = cudaGetDevice(&before);
    if (error == cudaSuccess) error = cudaSetDevice(device);
    if (error == cudaSuccess) error = cudaMallocAsync(&answer, sizeof(int), nullptr);
    if (error == cudaSuccess) {
        cudaLaunchConfig_t config{};
        config.gridDim = config.blockDim = dim3(1);
        error = cudaLaunchKernelEx(&config, probe_kernel, answer);
    }
    if (error == cudaSuccess) error = cudaMemcpy(&got, answer, sizeof(int), cudaMemcpyDeviceToHost);
    if (error == cudaSuccess && got != 42) error = cudaErrorUnknown;
    if (error == cudaSuccess) error = cudaFuncGetAttributes(&attributes, probe_kernel);
    cudaGetLastError();
    if (answer) cudaFreeAsync(answer, nullptr);
    cudaSetDevice(before);
    return error;
}

GpuDevice describe(int device, const std::vector<int>& code) {
    cudaDeviceProp properties{};
    cudaError_t error = cudaGetDeviceProperties(&properties, device);
    if (error != cudaSuccess) return {"device " + std::to_string(device), 0, 0, 0, "", in_words(error)};
    const int capability = properties.major * 10 + properties.minor;
    GpuDevice result{
        properties.name, capability, properties.totalGlobalMem, properties.multiProcessorCount, "", ""};
    cudaFuncAttributes attributes{};
    error = try_device(device, attributes);
    if (error == cudaErrorNoKernelImageForDevice || error == cudaErrorInvalidDeviceFunction) {
        in_words(error);
        result.problem = code_problem(result.name, capability, code);
    } else if (error == cudaErrorUnsupportedPtxVersion) {
        result.problem = in_words(error) + std::string(" (the driver is older than the PTX: update it, or ") +
                         "configure with -DCMAKE_CUDA_ARCHITECTURES=" + std::to_string(capability) + "-real)";
    } else if (error != cudaSuccess) {
        result.problem = in_words(error);
    } else {  // code for an earlier GPU of the same generation runs; PTX is compiled by the driver
        result.code = attributes.binaryVersion / 10 == attributes.ptxVersion / 10 ||
                              std::find(code.begin(), code.end(), attributes.binaryVersion) != code.end()
                          ? "sm_" + std::to_string(attributes.binaryVersion)
                          : "PTX of compute_" + std::to_string(attributes.ptxVersion) +
                                ", compiled by the driver at its first use";
    }
    return result;
}

std::string dotted(size_t major, size_t minor, size_t patch) {
    return std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(patch);
}

std::vector<LibraryVersion> library_versions() {
    int blas[3] = {};
    for (const auto part : {MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL})
        if (cublasGetProperty(part, &blas[part]) != CUBLAS_STATUS_SUCCESS) return {};
    const size_t lt = cublasLtGetVersion(), dnn = cudnnGetVersion();
    return {{"cuBLAS", dotted(static_cast<size_t>(blas[0]), static_cast<size_t>(blas[1]),
                              static_cast<size_t>(blas[2]))},
            {"cuBLASLt", dotted(lt / 10000, lt / 100 % 100, lt % 100)},
            {"cuDNN", dotted(dnn / 10000, dnn / 100 % 100, dnn % 100)}};
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

GpuLibraries gpu_libraries_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    const std::string problem = problem_of_libraries();
    if (!problem.empty()) return {problem, {}};
    return {"", library_versions()};
}

GpuInfo gpu_info_on(LILY_CUDA_DEVICE::Gpu, int most_devices) {
    using namespace LILY_CUDA_DEVICE;
    GpuInfo info{};
    info.code = code_of_this_build();
    info.toolkit = CUDART_VERSION;
    if (cudaDriverGetVersion(&info.driver) != cudaSuccess) cudaGetLastError();
    if (info.driver == 0) return info;
    info.libraries_problem = problem_of_libraries();
    int count = 0;
    const cudaError_t error = cudaGetDeviceCount(&count);
    if (error != cudaSuccess) {
        const std::string words = in_words(error);
        if (error != cudaErrorNoDevice) info.problem = words;
        return info;
    }
    for (int device = 0; device < std::min(count, most_devices); ++device)
        info.devices.push_back(describe(device, info.code));
    return info;
}

}  // namespace lily::kernels
