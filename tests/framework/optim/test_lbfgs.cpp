// SPDX-License-Identifier: MIT
#include "framework/optim/lbfgs.h"

#include "tests/framework/optim/optim_test.h"

namespace lily::optim {
namespace {

const MakeOptimizer kFixed =
    maker<LBFGS>(LBFGSOptions{.lr = 0.1, .max_iter = 1, .history_size = 10, .strong_wolfe = false});
const MakeOptimizer kWolfe = maker<LBFGS>(LBFGSOptions{.max_iter = 1, .history_size = 10});

// (1 − x₀)² + 100 (x₁ − x₀²)², written with sums so that x stays one tensor.
struct Rosenbrock {
    Tensor x;
    Tensor first, second;
    int evaluations = 0;

    explicit Rosenbrock(DType dtype)
        : x(parameter({-1.2, 1}, {2}, dtype)),
          first(from_vector<double>({1, 0}, {2}).to(dtype)),
          second(from_vector<double>({0, 1}, {2}).to(dtype)) {}

    double operator()() {
        ++evaluations;
        x.set_grad({});
        const Tensor x0 = (x * first).sum(), x1 = (x * second).sum();
        const Tensor loss = square(x1 - square(x0)) * 100 + square(1 - x0);
        loss.backward();
        return loss.item<double>();
    }
};

void check_rosenbrock(const std::string& name, LBFGSOptions options) {
    const Tensor path = golden().at("optim.lbfgs." + name + "/x");
    const std::vector<double> losses = golden().at("optim.lbfgs." + name + "/loss").to_vector<double>();
    const std::vector<int64_t> evaluations =
        golden().at("optim.lbfgs." + name + "/evaluations").to_vector<int64_t>();
    Rosenbrock f(DType::f64);
    LBFGS lbfgs({f.x}, options);
    for (size_t step = 0; step < losses.size(); ++step) {
        INFO(name << " step " << step);
        const int before = f.evaluations;
        const double loss = lbfgs.step(std::ref(f));
        CHECK(f.evaluations - before == evaluations[step]);
        CHECK(std::fabs(loss - losses[step]) <= 1e-8 * std::fabs(losses[step]) + 1e-18);
        CHECK(distance(path, static_cast<int64_t>(step) + 1, f.x) < 1e-8);
    }
}

TEST_CASE("L-BFGS follows PyTorch step by step, evaluation by evaluation", "[optim][lbfgs]") {
    CHECK(distance_from_golden("lbfgs.plain", DType::f64, kFixed) < 1e-11);
    CHECK(distance_from_golden("lbfgs.wolfe", DType::f64, kWolfe) < 1e-11);
    CHECK(distance_from_golden("lbfgs.plain", DType::f32, kFixed) < 1e-4);
    check_rosenbrock("rosenbrock", {.history_size = 10});
    check_rosenbrock("rosenbrock", {.max_eval = 25, .history_size = 10});
    check_rosenbrock("rosenbrock_single", {.max_iter = 1, .max_eval = 1, .history_size = 10});
}

TEST_CASE("L-BFGS resumes with the same bits, history and all", "[optim][lbfgs]") {
    for (const DType dtype : {DType::f32, DType::f64})
        for (const MakeOptimizer& make :
             {kFixed, kWolfe, maker<LBFGS>(LBFGSOptions{.max_iter = 3, .history_size = 2})})
            CHECK(resumes_bit_exactly(dtype, make));
}

TEST_CASE("L-BFGS minimises Rosenbrock's function to 1e-10", "[optim][lbfgs]") {
    Rosenbrock f(DType::f64);
    LBFGS lbfgs({f.x}, {.max_iter = 100, .tolerance_change = 1e-14});
    const double first = lbfgs.step(std::ref(f));
    CHECK(first == Approx(24.2));
    CHECK(f() < 1e-10);
    CHECK(f.x.to_vector<double>()[0] == Approx(1).margin(1e-5));

    Rosenbrock stepwise(DType::f64);
    LBFGS one_by_one({stepwise.x}, {.max_iter = 1, .tolerance_change = 1e-14});
    for (int i = 0; i < 60; ++i) one_by_one.step(std::ref(stepwise));
    CHECK(stepwise() < 1e-10);

    Rosenbrock single(DType::f32);
    LBFGS in_f32({single.x}, {.max_iter = 100});
    in_f32.step(std::ref(single));
    CHECK(single() < 1e-6);
}

TEST_CASE("L-BFGS solves a quadratic in 12 unknowns, spread over two parameters", "[optim][lbfgs]") {
    std::vector<double> curvature(12), target(12);
    for (size_t i = 0; i < 12; ++i) {
        curvature[i] = std::pow(3.0, static_cast<double>(i % 6));
        target[i] = std::sin(static_cast<double>(i));
    }
    const Tensor c = from_vector(curvature, {2, 6}), t = from_vector(target, {2, 6});
    const Tensor pick = from_vector<double>({1, 0}, {2, 1});
    Tensor a = parameter(std::vector<double>(6, 0), {6}), b = parameter(std::vector<double>(6, 0), {6});
    LBFGS lbfgs({a, b}, {.max_iter = 60, .max_eval = 200});
    const auto closure = [&] {
        lbfgs.zero_grad();
        const Tensor x = a * pick + b * (1 - pick);
        const Tensor loss = (square(x - t) * c).sum();
        loss.backward();
        return loss.item<double>();
    };
    lbfgs.step(closure);
    for (size_t i = 0; i < 6; ++i) {
        CHECK(a.to_vector<double>()[i] == Approx(target[i]).margin(1e-6));
        CHECK(b.to_vector<double>()[i] == Approx(target[6 + i]).margin(1e-6));
    }
}

TEST_CASE("Points of the line search meet both strong Wolfe conditions", "[optim][lbfgs]") {
    // φ(t) = f(t) with d = 1: a valley, a wall, a shallow slope and a wave
    const std::vector<std::function<std::pair<double, double>(double)>> functions = {
        [](double t) { return std::pair(std::pow(t - 3, 4), 4 * std::pow(t - 3, 3)); },
        [](double t) { return std::pair(std::exp(5 * t) - 20 * t, 5 * std::exp(5 * t) - 20); },
        [](double t) {
            return std::pair(std::log1p((t - 90) * (t - 90)), 2 * (t - 90) / (1 + (t - 90) * (t - 90)));
        },
        [](double t) { return std::pair(std::cos(3 * t) - 0.1 * t, -3 * std::sin(3 * t) - 0.1); },
    };
    for (const auto& f : functions)
        for (const double first : {1e-3, 0.1, 1.0, 30.0}) {
            const Line line = [&](double t) {
                return LinePoint{.t = t, .f = f(t).first, .slope = f(t).second};
            };
            const LinePoint start = line(0);
            REQUIRE(start.slope < 0);
            const LineSearch found = strong_wolfe(line, start, first, 1);
            CHECK(found.point.f <= start.f + 1e-4 * found.point.t * start.slope);
            CHECK(std::fabs(found.point.slope) <= 0.9 * std::fabs(start.slope));
            CHECK(found.point.t > 0);
            CHECK(found.evaluations <= 26);
        }
}

TEST_CASE("The line search gives up after 25 refinements, at the lowest point", "[optim][lbfgs]") {
    int evaluations = 0;
    const Line endless = [&](double t) {
        ++evaluations;
        return LinePoint{.t = t, .f = -t, .slope = -1};
    };
    const LineSearch found = strong_wolfe(endless, endless(0), 1, 1);
    CHECK(found.evaluations == 26);
    CHECK(evaluations == 27);
    CHECK(found.point.t > 1e6);
}

TEST_CASE("The minimum of a cubic", "[optim][lbfgs]") {
    const auto at = [](double t) {  // t³ − 3t: minimum at 1
        return LinePoint{.t = t, .f = t * t * t - 3 * t, .slope = 3 * t * t - 3};
    };
    CHECK(cubic_minimum(at(0), at(3), 0, 3) == Approx(1));
    CHECK(cubic_minimum(at(3), at(0), 0, 3) == Approx(1));
    CHECK(cubic_minimum(at(0), at(3), 1.5, 3) == 1.5);
    const LinePoint falling_a{.t = 0, .f = 0, .slope = -1}, falling_b{.t = 1, .f = -0.9, .slope = -1};
    CHECK(cubic_minimum(falling_a, falling_b, 2, 4) == 3);  // none: the middle
}

TEST_CASE("L-BFGS stops at max_eval, at a stationary point and at max_iter", "[optim][lbfgs]") {
    Rosenbrock f(DType::f64);
    LBFGS few({f.x}, {.max_iter = 100, .max_eval = 5});
    few.step(std::ref(f));
    CHECK(f.evaluations >= 5);
    CHECK(f.evaluations < 12);  // it finishes its line search

    f.x.copy_(ones_like(f.x));
    LBFGS done({f.x});
    f.evaluations = 0;
    CHECK(done.step(std::ref(f)) == 0);
    CHECK(f.evaluations == 1);
    CHECK(done.state_dict().at("n_iter").item<int64_t>() == 0);
}

TEST_CASE("L-BFGS in other memory formats gives the same values", "[optim][lbfgs]") {
    std::vector<double> target(1 * 8 * 2 * 3);
    for (size_t i = 0; i < target.size(); ++i) target[i] = std::sin(static_cast<double>(i * i));
    const Shape shape{1, 8, 2, 3};
    const auto run = [&](MemoryFormat format) {
        Tensor x = zeros(shape, {.dtype = DType::f64, .format = format}).set_requires_grad();
        const Tensor t = from_vector(target, shape);
        LBFGS lbfgs({x}, {.max_iter = 3});
        lbfgs.step([&] {
            lbfgs.zero_grad();
            const Tensor d = x.contiguous() - t;
            const Tensor loss = (square(d) + square(square(d))).sum();
            loss.backward();
            return loss.item<double>();
        });
        return x.to_vector<double>();
    };
    CHECK(run(MemoryFormat::contiguous) == run(MemoryFormat::blocked8));
}

TEST_CASE("L-BFGS refuses mixed dtypes, no closure and foreign states", "[optim][lbfgs]") {
    Tensor x = parameter({1}, {1}), y = parameter({1}, {1}, DType::f32);
    CHECK(io::error_of([&] {
              LBFGS o({x, y});
          }) == "[LBFGS] expected parameters of one dtype, got f64 and f32");
    CHECK(io::error_of([&] { LBFGS o({x}, {.max_iter = 0}); }) == "[LBFGS] expected max_iter >= 1, got 0");
    CHECK(io::error_of([&] { LBFGS o({x}, {.max_eval = 0}); }) == "[LBFGS] expected max_eval >= 1, got 0");
    CHECK(io::error_of([&] { LBFGS o({x}, {.history_size = 0}); }) ==
          "[LBFGS] expected history_size >= 1, got 0");
    LBFGS o({x});
    CHECK(io::error_of([&] { o.step(); }) ==
          "[LBFGS] call step(closure): the loss is computed several times per step");
    StateDict state = o.state_dict();
    state["n_iter"] = from_vector<int64_t>({3}, {});
    CHECK(io::error_of([&] { o.load_state_dict(state); }) == "[LBFGS] the state has no 'd'");
}

}  // namespace

TEST_CASE("L-BFGS goes on from its state on every device", "[optim][lbfgs][simt]") {
    for (const Device device : {Device::cpu, Device::simt}) {
        if (!is_available(device)) continue;
        const Tensor start = from_vector<float>({-1.2f, 1}, {2}).to(device);
        const auto run = [](optim::LBFGS& lbfgs, Tensor& x, int steps) {
            for (int i = 0; i < steps; ++i)
                lbfgs.step([&] {
                    lbfgs.zero_grad();
                    const Tensor loss = sum(square(x) * square(x) + x);
                    loss.backward();
                    return loss.item<double>();
                });
        };
        Tensor whole = start.clone().set_requires_grad(), cut = start.clone().set_requires_grad();
        optim::LBFGS all({whole}, {.max_iter = 2}), first({cut}, {.max_iter = 2}),
            second({cut}, {.max_iter = 2});
        run(all, whole, 4);
        run(first, cut, 2);
        second.load_state_dict(first.state_dict());
        run(second, cut, 2);
        CHECK(cut.to_vector() == whole.to_vector());
    }
}

}  // namespace lily::optim
