// SPDX-License-Identifier: MIT
// Groups of parameters with settings of their own, and schedules over them.
#include "framework/optim/adam.h"
#include "framework/optim/lbfgs.h"
#include "framework/optim/lr_scheduler.h"
#include "framework/optim/sgd.h"
#include "tests/framework/optim/optim_test.h"

namespace lily::optim {
namespace {

const StateDict& golden_groups() {
    static const StateDict tensors =
        io::load_tensors(LILY_SOURCE_DIR "/tests/golden/optim.safetensors").tensors;
    return tensors;
}

// Row `step` of a trajectory (steps, shape...).
Tensor row_of(const Tensor& trajectory, int64_t step, const Shape& shape) {
    const Tensor row = slice(trajectory, 0, step, step + 1);
    return row.reshape(shape).clone();
}

// p and m of make_optim.py at their start.
struct Pair {
    explicit Pair(const std::string& name, DType dtype = DType::f64)
        : p(row_of(golden_groups().at(name + "/p"), 0, {2}).to(dtype).clone().set_requires_grad()),
          m(row_of(golden_groups().at(name + "/m"), 0, {2, 3}).to(dtype).clone().set_requires_grad()) {}
    void step(Optimizer& optimizer) {
        optimizer.zero_grad();
        Tensor loss;
        for (const Tensor& v : {p, m}) {
            const Tensor part = (square(v - 0.5) * 0.5 + square(square(v)) * 0.25).sum();
            loss = loss.defined() ? loss + part : part;
        }
        loss.backward();
        optimizer.step();
    }
    Tensor p, m;
};

// The largest distance from PyTorch's trajectory; in the end from another one's is `other`.
double distance_with(const std::string& name, DType dtype, const MakeOptimizer& make,
                     const ParamGroup& settings) {
    Pair pair("groups." + name, dtype);
    const auto optimizer = make({pair.p});
    ParamGroup group = settings;
    group.params = {pair.m};
    optimizer->add_param_group(group);
    double worst = 0;
    for (int64_t i = 1; i <= 20; ++i) {
        pair.step(*optimizer);
        worst = std::max({worst, distance(golden_groups().at("groups." + name + "/p"), i, pair.p),
                          distance(golden_groups().at("groups." + name + "/m"), i, pair.m)});
    }
    return worst;
}

const ParamGroup kSlow{.params = {}, .lr = 0.02, .weight_decay = 0};
const MakeOptimizer kSgd =
    maker<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9, .dampening = 0.1, .weight_decay = 0.1});
const MakeOptimizer kAdam = maker<Adam>(AdamOptions{.lr = 0.1, .betas = {0.5, 0.99}, .weight_decay = 0.1});
const MakeOptimizer kAdamW = maker<AdamW>(AdamWOptions{.lr = 0.1, .weight_decay = 0.1});

}  // namespace

TEST_CASE("parameter groups follow PyTorch step by step", "[optim][groups]") {
    CHECK(distance_with("sgd", DType::f64, kSgd, kSlow) < 1e-13);
    CHECK(distance_with("adam", DType::f64, kAdam, kSlow) < 1e-13);
    CHECK(distance_with("adamw", DType::f64, kAdamW, kSlow) < 1e-13);
    CHECK(distance_with("sgd", DType::f32, kSgd, kSlow) < 1e-5);
    CHECK(distance_with("adam", DType::f32, kAdam, kSlow) < 2e-5);
    CHECK(distance_with("adamw", DType::f32, kAdamW, kSlow) < 2e-5);
    // A multiplier of lr is another lr.
    for (const auto& [name, make] :
         {std::pair("sgd", kSgd), std::pair("adam", kAdam), std::pair("adamw", kAdamW)})
        CHECK(distance_with(name, DType::f64, make, {.params = {}, .weight_decay = 0, .lr_multiplier = 0.2}) <
              1e-12);
    CHECK_FALSE(distance_with("adam", DType::f64, kAdam, {}) < 1e-3);  // with the first group's settings
}

TEST_CASE("parameter groups resume with the same bits, and into the same groups only", "[optim][groups]") {
    for (const auto& [name, make] :
         {std::pair("sgd", kSgd), std::pair("adam", kAdam), std::pair("adamw", kAdamW)}) {
        INFO(name);
        const std::string key = "groups." + std::string(name);
        const auto with_slow = [&, &make = make](Pair& pair) {
            auto optimizer = make({pair.p});
            ParamGroup group = kSlow;
            group.params = {pair.m};
            optimizer->add_param_group(group);
            return optimizer;
        };
        Pair whole(key), first(key), second(key);
        const auto uninterrupted = with_slow(whole), before = with_slow(first), after = with_slow(second);
        ExponentialLR schedule(*uninterrupted, 0.9), of_before(*before, 0.9), of_after(*after, 0.9);
        const auto steps = [](Pair& pair, Optimizer& optimizer, LRScheduler& rates, int count) {
            for (int i = 0; i < count; ++i) {
                pair.step(optimizer);
                rates.step();
            }
        };
        steps(whole, *uninterrupted, schedule, 7);
        steps(first, *before, of_before, 3);
        second.p.copy_(first.p);
        second.m.copy_(first.m);
        after->load_state_dict(before->state_dict());
        of_after.load_state_dict(of_before.state_dict());
        CHECK(after->lr(0) == before->lr(0));
        CHECK(after->lr(1) == before->lr(1));
        steps(second, *after, of_after, 4);
        CHECK(second.p.to_vector<double>() == whole.p.to_vector<double>());
        CHECK(second.m.to_vector<double>() == whole.m.to_vector<double>());

        Pair other(key);
        const auto single = make({other.p, other.m}), turned = make({other.m});
        turned->add_param_group({.params = {other.p}});
        CHECK(io::error_of([&] {
                  single->load_state_dict(before->state_dict());
              }).ends_with("the state has 2 parameter groups, expected 1"));
        Tensor third = parameter({1}, {1});
        const auto split = make({other.p, third});
        split->add_param_group({.params = {other.m}});
        CHECK(io::error_of([&] {
                  split->load_state_dict(before->state_dict());
              }).ends_with("the state has other parameters in group 0, expected 2"));
    }
}

TEST_CASE("schedules set every group's rate, one after the other as PyTorch does",
          "[optim][schedule][groups]") {
    const auto check = [](const std::string& name, auto make) {
        Pair pair("groups.sgd");
        const auto sgd = kSgd({pair.p});
        sgd->add_param_group({.params = {pair.m}, .lr = 0.02, .lr_multiplier = 3});
        const std::unique_ptr<LRScheduler> schedule = make(*sgd);
        const std::vector<double> want = golden_groups().at("schedule." + name).to_vector<double>();
        REQUIRE(want.size() == 40);
        for (size_t i = 0; i < 20; ++i) {
            INFO(name << " step " << i);
            CHECK(std::fabs(sgd->lr(0) - want[2 * i]) < 1e-14);
            CHECK(std::fabs(sgd->lr(1) - want[2 * i + 1]) < 1e-14);  // the multiplier is the step's
            schedule->step();
        }
        // A resumed schedule has the bits of one that was not interrupted.
        const auto other = kSgd({pair.p});
        other->add_param_group({.params = {pair.m}, .lr = 0.02});
        const std::unique_ptr<LRScheduler> resumed = make(*other);
        resumed->load_state_dict(schedule->state_dict());
        schedule->step(), resumed->step();
        CHECK(other->lr(0) == sgd->lr(0));
        CHECK(other->lr(1) == sgd->lr(1));
    };
    check("warm_up_cosine", [](Optimizer& o) {
        return std::make_unique<SequentialLR>(
            o, std::vector<LRScheduler>{LinearLR(o, 0.1, 1, 5), CosineAnnealingLR(o, 15, 0.001)},
            std::vector<int64_t>{5});
    });
    check("three", [](Optimizer& o) {
        return std::make_unique<SequentialLR>(
            o, std::vector<LRScheduler>{LinearLR(o, 0.25, 1, 3), ExponentialLR(o, 0.9), StepLR(o, 2, 0.5)},
            std::vector<int64_t>{3, 11});
    });
    SGD sgd({parameter({0}, {1})}, {.lr = 0.1});
    SequentialLR schedule = warm_up_cosine(sgd, 4, 10, 0.02);
    for (int64_t n = 0; n < 10; ++n) {
        const double angle = std::acos(-1.0) * static_cast<double>(n - 4) / 6;
        const double want = n < 4 ? 0.1 * (0.01 + 0.99 * static_cast<double>(n) / 4)
                                  : 0.02 + 0.08 * (1 + std::cos(angle)) / 2;
        CHECK(std::fabs(sgd.lr() - want) < 1e-15);
        schedule.step();
    }
    CHECK(sgd.lr() == Approx(0.02).epsilon(1e-12));
}

TEST_CASE("parameter groups and sequences that make no sense are refused", "[optim][groups]") {
    Tensor x = parameter({1, 2}, {2}), y = parameter({3}, {1});
    Adam adam({x}, {.lr = 0.5});
    const auto error = [&](const ParamGroup& group) {
        return io::error_of([&] { adam.add_param_group(group); });
    };
    CHECK(error({.params = {}}) == "[Adam] expected at least one parameter");
    CHECK(error({.params = {y, x}}) == "[Adam] parameters 0 and 2 share memory");
    CHECK(error({.params = {y, y}}) == "[Adam] parameters 1 and 2 share memory");
    CHECK(error({.params = {y}, .lr = -1}) == "[Adam] expected lr >= 0, got -1");
    CHECK(error({.params = {y}, .weight_decay = -1}) == "[Adam] expected weight_decay >= 0, got -1");
    CHECK(error({.params = {y}, .lr_multiplier = NAN}) == "[Adam] expected lr_multiplier >= 0, got nan");
    CHECK(adam.group_count() == 1);
    CHECK(adam.parameters().size() == 1);
    ExponentialLR early(adam, 0.5);
    adam.add_param_group({.params = {y}});
    CHECK(adam.lr(1) == 0.5);
    CHECK(io::error_of([&] { early.step(); }) ==
          "[LRScheduler] the optimiser has 2 groups, 1 when this was made: add groups first");
    CHECK(io::error_of([&] { adam.set_lr(2, 0.1); }) == "[Adam] expected one of 2 groups, got 2");
    LBFGS lbfgs({x}, {});
    CHECK(io::error_of([&] { lbfgs.add_param_group({.params = {y}}); }) ==
          "[LBFGS] parameter groups are not supported");

    SGD sgd({x}, {.lr = 0.1});
    const LinearLR a(sgd);
    const auto sequence = [&](const std::vector<LRScheduler>& parts, std::vector<int64_t> milestones) {
        return io::error_of([&] { SequentialLR s(sgd, parts, milestones); });
    };
    CHECK(sequence({a, a}, {}) == "[SequentialLR] expected one milestone fewer than schedulers, got 0 and 2");
    CHECK(sequence({}, {}) == "[SequentialLR] expected one milestone fewer than schedulers, got 0 and 0");
    CHECK(sequence({a, a, a}, {4, 4}) ==
          "[SequentialLR] expected milestones that increase from 1 on, got 4, 4");
    CHECK(sequence({a, a}, {0}) == "[SequentialLR] expected milestones that increase from 1 on, got 0");
    CHECK(io::error_of([&] { warm_up_cosine(sgd, 5, 5); }) ==
          "[warm_up_cosine] expected 1 <= warm_up < total, got 5 and 5");
}

}  // namespace lily::optim
