// SPDX-License-Identifier: MIT
// Says what this build is, what it finds on this machine, and which device a program would take.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "framework/device_choice.h"
#include "framework/error.h"
#include "framework/io/file.h"
#include "framework/io/image/tiff.h"
#include "framework/io/image/webp.h"
#include "framework/io/palette.h"
#include "kernels/common/cpu_info.h"
#include "kernels/common/gpu.h"
#include "kernels/common/gpu_info.h"
#include "kernels/common/parallel.h"

namespace {

using namespace lily;
using kernels::capability_text;
using kernels::version_text;

#ifdef NDEBUG
constexpr const char* kKind = "optimised";
#else
constexpr const char* kKind = "for debugging";
#endif
#ifdef __clang__
constexpr const char* kCompiler = "";  // __VERSION__ says Clang
#else
constexpr const char* kCompiler = "g++ ";
#endif

constexpr double kGiB = 1 << 30;

// "name 1.2, name 3.4"
std::string in_one_line(const std::vector<kernels::LibraryVersion>& libraries) {
    std::string line;
    for (const auto& [name, version] : libraries)
        line += fmt::format("{}{} {}", line.empty() ? "" : ", ", name, version);
    return line;
}

void show_cpu() {
    fmt::print("CPU   {}: {}, {} threads\n", kernels::cpu_name(), kernels::name(kernels::cpu_isa()),
               kernels::max_threads());
    fmt::print("      oneDNN {}, OpenMP {}\n", kernels::onednn_version(), _OPENMP);
}

void show_gpu(Device device) {
    if (!kernels::has_gpu(device)) {
        fmt::print("{:<5} not in this build: {}\n", name(device),
                   device == Device::cuda ? "cmake --preset cuda makes one with it, where nvcc is"
                                          : "it needs g++ on x86-64 Linux");
        return;
    }
    const kernels::GpuInfo info = kernels::gpu_info(device);
    std::string code;
    for (const int c : info.code)
        code += fmt::format("{}{}", code.empty() ? ", code for " : ", ", capability_text(c));
    fmt::print("{:<5} {} {}{}; driver: {}\n", name(device),
               device == Device::simt ? "the software GPU, as toolkit" : "built with toolkit",
               version_text(info.toolkit), code,
               info.driver == 0 ? "none" : "for CUDA " + version_text(info.driver));
    const kernels::GpuLibraries libraries = kernels::gpu_libraries(device);
    fmt::print("      {}\n", libraries.problem.empty() ? in_one_line(libraries.versions) : libraries.problem);
    for (size_t i = 0; i < info.devices.size(); ++i) {
        const auto& gpu = info.devices[i];
        fmt::print("      {}: {}, compute capability {}, {} multiprocessors, {:.1f} GiB: {}\n", i, gpu.name,
                   capability_text(gpu.capability), gpu.multiprocessors,
                   static_cast<double>(gpu.memory) / kGiB,
                   gpu.problem.empty() ? "runs the code for " + gpu.code : gpu.problem);
    }
    const std::string problem = kernels::gpu_problem(info);
    if (!problem.empty()) fmt::print("      cannot be used: {}\n", problem);
}

void show_pictures() {
    const auto library = [](const char* name, const std::string& version, const char* package) {
        return version.empty() ? fmt::format("no {} (install {} and build again)", name, package)
                               : fmt::format("{} {}", name, version);
    };
    fmt::print("reads PNG, JPEG, BMP, TGA, GIF; {}; {}\n", library("WebP", io::webp_version(), "libwebp-dev"),
               library("TIFF", io::tiff_version(), "libtiff-dev"));
    fmt::print("palettes of animations by {}\n",
               library("libimagequant", io::imagequant_version(), "libimagequant-dev"));
}

int show(const std::string& required) {
    fmt::print("lily  {}, {}{}, {}; fmt {}.{}.{}, CLI11 {}\n", LILY_VERSION, kCompiler, __VERSION__, kKind,
               FMT_VERSION / 10000, FMT_VERSION / 100 % 100, FMT_VERSION % 100, CLI11_VERSION);
    show_cpu();
    show_gpu(Device::cuda);
    show_gpu(Device::simt);
    show_pictures();
    fmt::print("--device auto takes {}\n", choose_device("auto").reason);
    io::finish_stdout();
    if (!required.empty()) choose_device(required);
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app{"Says what this build is, what it finds here, and which device a program would take.",
                 "lily_info"};
    std::string required;
    app.add_option("--require", required, "fail unless this device can be used")
        ->option_text("cpu|simt|cuda")
        ->check(CLI::IsMember({"cpu", "simt", "cuda"}));
    CLI11_PARSE(app, argc, argv);
    try {
        return show(required);
    } catch (const std::exception& error) {
        fmt::print(stderr, "lily_info: {}\n", error.what());
        return 1;
    }
}
