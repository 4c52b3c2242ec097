// SPDX-License-Identifier: MIT
#include "framework/optim/adam.h"

#include "kernels/common/parallel.h"
#include "tests/framework/optim/optim_test.h"

namespace lily::optim {
namespace {

const MakeOptimizer kAdam = maker<Adam>(AdamOptions{.lr = 0.1});
const MakeOptimizer kAdamDecay =
    maker<Adam>(AdamOptions{.lr = 0.1, .betas = {0.5, 0.99}, .weight_decay = 0.1});
const MakeOptimizer kAdamW = maker<AdamW>(AdamWOptions{.lr = 0.1, .weight_decay = 0.1});

TEST_CASE("Adam and AdamW follow PyTorch step by step", "[optim][adam]") {
    CHECK(distance_from_golden("adam", DType::f64, kAdam) < 1e-13);
    CHECK(distance_from_golden("adam.weight_decay", DType::f64, kAdamDecay) < 1e-13);
    CHECK(distance_from_golden("adamw", DType::f64, kAdamW) < 1e-13);
    CHECK(distance_from_golden("adam", DType::f32, kAdam) < 2e-5);
    CHECK(distance_from_golden("adam.weight_decay", DType::f32, kAdamDecay) < 2e-5);
    CHECK(distance_from_golden("adamw", DType::f32, kAdamW) < 2e-5);
}

TEST_CASE("Adam and AdamW resume with the same bits", "[optim][adam]") {
    for (const DType dtype : {DType::f32, DType::f64})
        for (const MakeOptimizer& make : {kAdam, kAdamDecay, kAdamW}) CHECK(resumes_bit_exactly(dtype, make));
}

TEST_CASE("Adam's first step is lr · sign(g), whatever the size of g", "[optim][adam]") {
    Tensor x = parameter({1, 2, 3}, {3});
    Adam adam({x}, {.lr = 0.01});
    x.set_grad(from_vector<double>({1e6, -1e-3, 0}, {3}));
    adam.step();
    const std::vector<double> got = x.to_vector<double>();
    CHECK(got[0] == Approx(0.99).epsilon(1e-9));
    CHECK(got[1] == Approx(2 + 0.01).epsilon(1e-7));
    CHECK(got[2] == 3);
}

TEST_CASE("Adam can have epsilon beside the uncorrected second moment", "[optim][adam]") {
    constexpr double g = 1e-3, eps = 1e-2, beta = 0.9;
    for (const DType dtype : {DType::f32, DType::f64}) {
        Tensor x = parameter({1}, {1}, dtype);
        Adam adam({x}, {.lr = 0.1, .betas = {0, beta}, .eps = eps, .eps_uncorrected = true});
        double v = 0, expected = 1;
        for (int t = 1; t <= 3; ++t) {
            x.set_grad(from_vector<double>({g}, {1}).to(dtype));
            adam.step();
            v = beta * v + (1 - beta) * g * g;
            expected -= 0.1 * std::sqrt(1 - std::pow(beta, t)) * g / (std::sqrt(v) + eps);
            CHECK(x.item<double>() == Approx(expected).epsilon(1e-6));
        }
        // As if no step had been done.
        adam.reset();
        const double before = x.item<double>();
        adam.step();
        v = (1 - beta) * g * g;
        CHECK(x.item<double>() - before ==
              Approx(-0.1 * std::sqrt(1 - beta) * g / (std::sqrt(v) + eps)).epsilon(1e-4));
    }
}

TEST_CASE("Adam finds the minimum of a quadratic", "[optim][adam]") {
    Tensor x = parameter({5, -4}, {2}, DType::f32);
    Adam adam({x}, {.lr = 0.1});
    for (int i = 0; i < 500; ++i) {
        adam.zero_grad();
        square(x - from_vector<float>({1, 2}, {2})).sum().backward();
        adam.step();
    }
    CHECK(x.to_vector<double>()[0] == Approx(1).margin(1e-3));
    CHECK(x.to_vector<double>()[1] == Approx(2).margin(1e-3));
}

TEST_CASE("AdamW decays by lr · weight_decay, not through the gradient", "[optim][adam]") {
    Tensor x = parameter({4}, {1});
    AdamW adam({x}, {.lr = 0.1, .weight_decay = 0.5});
    x.set_grad(from_vector<double>({0}, {1}));
    adam.step();
    CHECK(x.item<double>() == Approx(4 * (1 - 0.05)));
    CHECK(AdamWOptions{}.weight_decay == 0.01);
}

TEST_CASE("Adam's steps have the same bits for one thread and two", "[optim][adam]") {
    constexpr int64_t n = 3 * kernels::kGrain + 17;
    const auto run = [](int threads) {
        kernels::set_max_threads(threads);
        std::vector<float> values(n);
        for (size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i));
        Tensor x = from_vector(values, {n}).set_requires_grad();
        Tensor small = parameter({1, 2}, {2}, DType::f32);
        Adam adam({small, x}, {.lr = 0.01});
        for (int i = 0; i < 3; ++i) {
            x.set_grad(square(x.detach()));
            small.set_grad(small.detach());
            adam.step();
        }
        return x.to_vector<float>();
    };
    const std::vector<float> one = run(1), two = run(2);
    kernels::set_max_threads(0);
    CHECK(one == two);
    CHECK(one.back() != std::sin(static_cast<float>(n - 1)));
}

TEST_CASE("A parameter without a gradient is left alone and keeps its own step count", "[optim][adam]") {
    Tensor a = parameter({1}, {1}), b = parameter({1}, {1});
    Adam adam({a, b}, {.lr = 0.1});
    a.set_grad(ones_like(a));
    adam.step();
    CHECK(b.item<double>() == 1);
    CHECK(adam.state_dict().contains("0.exp_avg"));
    CHECK_FALSE(adam.state_dict().contains("1.exp_avg"));
    b.set_grad(full({1}, 7, b.options()));
    adam.step();
    CHECK(b.item<double>() == Approx(0.9));  // its first step: lr · sign(g)
    CHECK(adam.state_dict().at("0.step").item<int64_t>() == 2);
    CHECK(adam.state_dict().at("1.step").item<int64_t>() == 1);

    adam.zero_grad();
    CHECK_FALSE(a.grad().defined());
    adam.step();
    CHECK(adam.state_dict().at("0.step").item<int64_t>() == 2);
}

TEST_CASE("Gradients in another memory format, f32 beside f64, and empty parameters", "[optim][adam]") {
    std::vector<double> values(2 * 16 * 3), slopes(values.size());
    for (size_t i = 0; i < values.size(); ++i) {
        values[i] = 0.1 * static_cast<double>(i);
        slopes[i] = std::cos(static_cast<double>(i));
    }
    const Shape shape{2, 16, 3, 1};
    const auto after = [&](MemoryFormat of_parameter, MemoryFormat of_gradient) {
        Tensor x = from_vector(values, shape).to(DType::f32).to(of_parameter).set_requires_grad();
        Tensor other = parameter({1}, {1}), none = parameter({}, {0});
        Adam adam({x, other, none}, {.lr = 0.01});
        for (int i = 0; i < 2; ++i) {
            x.set_grad(from_vector(slopes, shape).to(DType::f32).to(of_gradient));
            other.set_grad(ones_like(other));
            none.set_grad(ones_like(none));
            adam.step();
        }
        CHECK(x.format() == of_parameter);
        CHECK(other.item<double>() == Approx(0.98));
        return x.to_vector<float>();
    };
    const std::vector<float> plain = after(MemoryFormat::contiguous, MemoryFormat::contiguous);
    CHECK(plain == after(MemoryFormat::contiguous, MemoryFormat::blocked16));
    CHECK(plain == after(MemoryFormat::blocked8, MemoryFormat::contiguous));
    CHECK(plain == after(MemoryFormat::channels_last, MemoryFormat::blocked16));
}

TEST_CASE("Wrong parameters, options and states are refused", "[optim][adam]") {
    const auto error = [](auto&& body) { return io::error_of(body); };
    Tensor x = parameter({1, 2}, {2}), y = parameter({3}, {1});
    CHECK(error([] { Adam adam({}); }) == "[Adam] expected at least one parameter");
    CHECK(error([&] { Adam adam({x, Tensor{}}); }) == "[Adam] parameter 1 is undefined");
    CHECK(error([] { AdamW adam({zeros({2}, {.dtype = DType::i64})}); }) ==
          "[AdamW] parameter 0 is i64, expected f32 or f64");
    CHECK(error([&] { Adam adam({x * 2}); }) ==
          "[Adam] parameter 0 of shape (2) is the result of an op: pass the leaf, or detach()");
    CHECK(error([&] { Adam adam({x, x}); }) == "[Adam] parameters 0 and 1 share memory");
    CHECK(error([&] { Adam adam({x}, {.lr = -1}); }) == "[Adam] expected lr >= 0, got -1");
    CHECK(error([&] {
              Adam adam({x}, {.betas = {0.9, 1}});
          }) == "[Adam] expected betas in [0, 1), got 0.9 and 1");
    CHECK(error([&] { Adam adam({x}, {.eps = -1}); }) == "[Adam] expected eps >= 0, got -1");
    CHECK(error([&] { Adam adam({x}, {.weight_decay = NAN}); }) ==
          "[Adam] expected weight_decay >= 0, got nan");

    Adam adam({x, y}, {.lr = 0.5});
    x.set_grad(ones_like(x));
    adam.step();
    const StateDict good = adam.state_dict();
    const auto refused = [&](const std::string& key, const Tensor& value) {
        StateDict bad = good;
        value.defined() ? void(bad[key] = value) : void(bad.erase(key));
        return error([&] { adam.load_state_dict(bad); });
    };
    CHECK(refused("lr", {}) == "[Adam] the state has no 'lr'");
    CHECK(refused("0.exp_avg", {}) == "[Adam] the state has no '0.exp_avg'");
    CHECK(refused("0.exp_avg", ones({3}, {.dtype = DType::f64})) ==
          "[Adam] state '0.exp_avg' has shape (3), its parameter (2)");
    CHECK(refused("0.exp_avg_sq", ones({2})) == "[Adam] state '0.exp_avg_sq' is f32, expected f64");
    CHECK(refused("0.step", zeros({}, {.dtype = DType::i64})) ==
          "[Adam] state '0.step' is 0, expected at least 1");
    CHECK(refused("2.step", good.at("0.step")) ==
          "[Adam] the state has '2.step', which is not of this optimiser");
    CHECK(adam.lr() == 0.5);
    adam.load_state_dict(good);
}

}  // namespace

TEST_CASE("Adam has one device for all parameters and their state", "[optim][adam][simt]") {
    if (!is_available(Device::simt)) return;
    Tensor a = ones({2}).set_requires_grad(), b = ones({2}).to(Device::simt).set_requires_grad();
    a.set_grad(ones({2}));
    b.set_grad(ones({2}).to(Device::simt));
    CHECK_THROWS_WITH(optim::Adam({a, b}, {}).step(),
                      "[Adam] expected tensors on one device, got CPU and SIMT; move one with to()");
    optim::Adam adam({a}, {});
    adam.step();
    a.to_(Device::simt);
    CHECK_THROWS_WITH(adam.step(),
                      "[Adam] expected tensors on one device, got SIMT and CPU; move one with to()");
}

}  // namespace lily::optim
