// SPDX-License-Identifier: MIT
// The models on the GPUs of this build, against the CPU.
#include <map>

#include "kernels/conv2d/conv2d.h"
#include "models/style_transfer/style_transfer.h"
#include "tests/catch.h"
#include "tests/models/golden_vgg19.h"

#if __has_include("simt/xray.h")  // not without the software GPU
#include "simt/xray.h"
#endif

namespace lily::testing {
namespace {

using namespace models;

// The losses of a few iterations on a picture of 32 x 32 pixels.
// In the corners at 0 and 3 two values are so near to each other that rounding decides (at 5, 8, 10, 14 and
// 16 none), and L-BFGS's first step goes elsewhere: at 0, AVX-512 and the GPUs see content 3.4078 after it,
// AVX2 and Winograd 3.4046.
constexpr int64_t kFrom = 8;

std::vector<LossValues> small_run(Device device, OptimizerKind optimizer) {
    Vgg19 network(kWeights);
    network.to(device);
    const auto crop = [&](const Tensor& picture) {
        return slice(slice(picture, 2, kFrom, kFrom + 32), 3, kFrom, kFrom + 32).to(device);
    };
    StyleTransfer run({network, {}, crop(golden_picture("content")), {crop(golden_picture("style"))}},
                      crop(golden_start()), optimizer, 0.02);
    std::vector<LossValues> losses;
    for (int i = 0; i < 3; ++i) losses.push_back(run.step());
    return losses;
}

}  // namespace

// The CPU convolves directly here, as the GPUs do.
TEST_CASE("style transfer: a GPU's losses are the CPU's", "[style_transfer][simt]") {
    if (!have_weights()) SKIP(kNoWeights);
    kernels::set_conv2d_algorithm(kernels::Conv2dAlgorithm::direct);
    for (const auto optimizer : {OptimizerKind::adam, OptimizerKind::lbfgs}) {
        const auto want = small_run(Device::cpu, optimizer);
        CHECK(want[2].total < want[0].total);
        for (const Device device : {Device::simt, Device::cuda}) {
            if (!is_available(device)) continue;
            const auto got = small_run(device, optimizer);
            for (size_t i = 0; i < want.size(); ++i) {
                INFO(name(device) << ", " << (optimizer == OptimizerKind::adam ? "Adam" : "L-BFGS")
                                  << ", iteration " << i);
                CHECK(got[i].content == Approx(want[i].content).epsilon(1e-4));
                CHECK(got[i].style == Approx(want[i].style).epsilon(1e-4));
                CHECK(got[i].tv == Approx(want[i].tv).epsilon(1e-4));
                CHECK(got[i].total == Approx(want[i].total).epsilon(1e-4));
            }
        }
    }
    kernels::set_conv2d_algorithm(kernels::Conv2dAlgorithm::rule);
}

#if __has_include("simt/xray.h")
// Of launches, copies and waits per iteration; docs/gpu_kernels.md states them.
TEST_CASE("style transfer: an iteration on a GPU is one graph and one launch", "[style_transfer][simt]") {
    if (!have_weights()) SKIP(kNoWeights);
    if (!is_available(Device::simt)) SKIP("this build has no software GPU");
    Vgg19 network(kWeights);
    network.to(Device::simt);
    const auto crop = [&](const Tensor& picture) {
        return slice(slice(picture, 2, 0, 32), 3, 0, 32).to(Device::simt);
    };
    StyleTransfer run({network, {}, crop(golden_picture("content")), {crop(golden_picture("style"))}},
                      crop(golden_start()), OptimizerKind::adam, 0.02);
    const auto calls = [] {
        std::map<std::string, uint64_t> counts;
        for (const auto& [name, count] : simt::api_calls()) counts[name] = count;
        return counts;
    };
    const auto iteration = [&] {
        auto before = calls(), after = (run.step(), calls());
        for (auto& [name, count] : after) count -= before[name];
        return after;
    };
    iteration();
    auto plain = iteration();
    CHECK(plain["cudaGraphLaunch"] == 0);
    for (int i = 0; i < 4; ++i) iteration();
    auto recorded = iteration();
    std::string text = "before:";
    for (const auto& [name, count] : plain) text += count > 0 ? fmt::format(" {} {}", count, name) : "";
    text += "; after:";
    for (const auto& [name, count] : recorded) text += count > 0 ? fmt::format(" {} {}", count, name) : "";
    INFO(text);
    CHECK(recorded["cudaGraphLaunch"] == 1);
    CHECK(recorded["cudaLaunchKernelExC"] == 1);    // Adam
    CHECK(recorded["cudaStreamSynchronize"] == 1);  // the losses
    CHECK(recorded["cudaMemcpyAsync"] == 2 * 2);    // asked and done: the losses, the last good picture
    CHECK(plain["cudaLaunchKernelExC"] == 57);
    CHECK(plain["cudnnConvolutionBiasActivationForward"] == 2 * 13);
    CHECK(plain["cudnnConvolutionBackwardData"] == 2 * 13);
}
#endif

}  // namespace lily::testing
