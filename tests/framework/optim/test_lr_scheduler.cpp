// SPDX-License-Identifier: MIT
#include "framework/optim/lr_scheduler.h"

#include "framework/optim/sgd.h"
#include "tests/framework/optim/optim_test.h"

namespace lily::optim {
namespace {

using MakeScheduler = std::function<std::unique_ptr<LRScheduler>(Optimizer&)>;

template <class Kind, class... Args>
MakeScheduler scheduler(Args... args) {
    return [=](Optimizer& optimizer) { return std::make_unique<Kind>(optimizer, args...); };
}

// The rate that each of `count` steps uses, from lr 0.1.
std::vector<double> rates(const MakeScheduler& make, size_t count) {
    SGD sgd({parameter({0}, {1})}, {.lr = 0.1});
    const auto schedule = make(sgd);
    std::vector<double> values;
    for (size_t i = 0; i < count; ++i) {
        values.push_back(sgd.lr());
        schedule->step();
    }
    return values;
}

void check_golden(const std::string& name, const MakeScheduler& make) {
    const std::vector<double> want = golden().at("schedule." + name + "/lr").to_vector<double>();
    const std::vector<double> got = rates(make, want.size());
    REQUIRE(want.size() == 20);
    for (size_t i = 0; i < want.size(); ++i) {
        INFO(name << " step " << i);
        CHECK(std::fabs(got[i] - want[i]) < 1e-14);
    }
}

TEST_CASE("Schedules give PyTorch's rates", "[optim][schedule]") {
    check_golden("StepLR", scheduler<StepLR>(5, 0.5));
    check_golden("ExponentialLR", scheduler<ExponentialLR>(0.9));
    check_golden("CosineAnnealingLR", scheduler<CosineAnnealingLR>(20, 0.001));
    check_golden("CosineAnnealingLR.beyond", scheduler<CosineAnnealingLR>(8, 0.001));
    check_golden("LinearLR", scheduler<LinearLR>(1.0 / 3, 1.0, 5));
}

TEST_CASE("MultiStepLR and LambdaLR", "[optim][schedule]") {
    const std::vector<double> steps = rates(scheduler<MultiStepLR>(std::vector<int64_t>{2, 3, 3, 5}, 0.5), 7);
    const std::vector<double> want = {0.1, 0.1, 0.05, 0.0125, 0.0125, 0.00625, 0.00625};
    for (size_t i = 0; i < want.size(); ++i) CHECK(steps[i] == Approx(want[i]).epsilon(1e-14));

    const auto inverse = [](int64_t n) { return 1 / (1.0 + static_cast<double>(n)); };
    const std::vector<double> harmonic = rates(scheduler<LambdaLR>(inverse), 4);
    for (size_t i = 0; i < 4; ++i)
        CHECK(harmonic[i] == Approx(0.1 / static_cast<double>(i + 1)).epsilon(1e-14));
}

TEST_CASE("A schedule resumes, also over an optimiser whose rate has changed", "[optim][schedule]") {
    SGD sgd({parameter({0}, {1})}, {.lr = 0.1});
    CosineAnnealingLR whole(sgd, 10);
    for (int i = 0; i < 4; ++i) whole.step();
    const StateDict optimizer_state = sgd.state_dict(), state = whole.state_dict();
    whole.step();

    SGD other({parameter({0}, {1})}, {.lr = 7});
    other.load_state_dict(optimizer_state);
    CosineAnnealingLR resumed(other, 10);
    resumed.load_state_dict(state);
    CHECK(other.lr() == optimizer_state.at("lr").item<double>());
    CHECK(resumed.last_epoch() == 4);
    resumed.step();
    CHECK(other.lr() == sgd.lr());
}

TEST_CASE("Schedules refuse empty periods and foreign states", "[optim][schedule]") {
    SGD sgd({parameter({0}, {1})}, {.lr = 0.1});
    CHECK(io::error_of([&] { StepLR s(sgd, 0); }) == "[StepLR] expected step_size >= 1, got 0");
    CHECK(io::error_of([&] { CosineAnnealingLR s(sgd, -3); }) ==
          "[CosineAnnealingLR] expected T_max >= 1, got -3");
    CHECK(io::error_of([&] { LinearLR s(sgd, 0.1, 1, 0); }) == "[LinearLR] expected total_iters >= 1, got 0");
    StepLR schedule(sgd, 2);
    CHECK(io::error_of([&] { schedule.load_state_dict(sgd.state_dict()); }) ==
          "[LRScheduler] the state has no 'base_lr'");
    CHECK(sgd.lr() == 0.1);
}

}  // namespace
}  // namespace lily::optim
