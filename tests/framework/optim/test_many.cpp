// SPDX-License-Identifier: MIT
// What is done to all parameters takes as many launches and waits on a GPU as it takes for one.
#include "framework/ops.h"
#include "framework/optim/adam.h"
#include "framework/optim/clip_grad.h"
#include "framework/optim/lerp.h"
#include "framework/optim/sgd.h"
#include "tests/catch.h"

#if __has_include("simt/xray.h")  // not without the software GPU
#include "simt/xray.h"

namespace lily::optim {
namespace {

uint64_t waits() {
    for (const auto& [call, count] : simt::api_calls())
        if (call == "cudaStreamSynchronize") return count;
    return 0;
}

struct Work {
    uint64_t launches = 0, waits = 0;
};
template <class Run>
Work work_of(const Run& run) {
    synchronize(Device::simt);
    simt::reset_counters();
    const uint64_t before = waits();
    run();
    Work work{0, waits() - before};
    synchronize(Device::simt);
    for (const simt::Counters& c : simt::counters()) work.launches += c.launches;
    return work;
}

}  // namespace

TEST_CASE("many parameters are clipped, stepped and averaged in a few launches", "[optim][simt]") {
    if (!is_available(Device::simt)) SKIP("this build has no software GPU");
    for (const size_t count : {size_t{2}, size_t{40}, size_t{70}}) {
        std::vector<Tensor> parameters, averages;
        for (size_t i = 0; i < count; ++i) {
            const auto n = static_cast<int64_t>(1 + i);
            parameters.push_back(full({n}, 2.0, {.device = Device::simt}).set_requires_grad());
            parameters.back().set_grad(full({n}, 3.0, {.device = Device::simt}));
            averages.push_back(zeros({n}, {.device = Device::simt}));
        }
        const auto elements = static_cast<double>(count * (count + 1) / 2);
        Tensor norm;
        const Work clip = work_of([&] { norm = clip_grad_norm_(parameters, 1); });
        CHECK(clip.launches == 3);  // the pieces' squares, their sum, the scaling
        CHECK(clip.waits == 0);
        CHECK(norm.item<double>() == Approx(3 * std::sqrt(elements)));
        CHECK(parameters.back().grad().to_vector().back() == Approx(1 / std::sqrt(elements)).epsilon(1e-5));
        const std::vector<std::unique_ptr<Optimizer>> optimizers = [&] {
            std::vector<std::unique_ptr<Optimizer>> all;
            all.push_back(std::make_unique<SGD>(parameters, SGDOptions{.lr = 0}));
            all.push_back(std::make_unique<SGD>(parameters, SGDOptions{.lr = 0, .momentum = 0.9}));
            all.push_back(std::make_unique<Adam>(parameters, AdamOptions{.lr = 0}));
            all.push_back(std::make_unique<AdamW>(parameters, AdamWOptions{.lr = 0}));
            return all;
        }();
        for (const auto& optimizer : optimizers) {
            optimizer->step();  // makes its state
            const Work step = work_of([&] { optimizer->step(); });
            CHECK(step.launches == 1);
            CHECK(step.waits == 0);
        }
        const Work average = work_of([&] { lerp_(averages, parameters, 0.25); });
        CHECK(average.launches == 1);
        CHECK(average.waits == 0);
        CHECK(averages.back().to_vector() == std::vector<float>(count, 0.5f));
    }
}

}  // namespace lily::optim
#endif
