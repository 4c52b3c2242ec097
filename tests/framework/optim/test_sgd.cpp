// SPDX-License-Identifier: MIT
#include "framework/optim/sgd.h"

#include "framework/optim/clip_grad.h"
#include "tests/framework/optim/optim_test.h"

namespace lily::optim {
namespace {

const MakeOptimizer kPlain = maker<SGD>(SGDOptions{.lr = 0.05});
const MakeOptimizer kMomentum = maker<SGD>(SGDOptions{.lr = 0.05, .momentum = 0.9, .dampening = 0.1});
const MakeOptimizer kNesterov =
    maker<SGD>(SGDOptions{.lr = 0.05, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true});

TEST_CASE("SGD follows PyTorch step by step", "[optim][sgd]") {
    CHECK(distance_from_golden("sgd", DType::f64, kPlain) < 1e-13);
    CHECK(distance_from_golden("sgd.momentum", DType::f64, kMomentum) < 1e-13);
    CHECK(distance_from_golden("sgd.nesterov", DType::f64, kNesterov) < 1e-13);
    CHECK(distance_from_golden("sgd.nesterov", DType::f32, kNesterov) < 1e-5);
}

TEST_CASE("SGD resumes with the same bits", "[optim][sgd]") {
    for (const DType dtype : {DType::f32, DType::f64})
        for (const MakeOptimizer& make : {kPlain, kMomentum, kNesterov})
            CHECK(resumes_bit_exactly(dtype, make));
}

TEST_CASE("SGD on a quadratic contracts by 1 - lr · curvature", "[optim][sgd]") {
    Tensor x = parameter({3, -2}, {2});
    SGD sgd({x}, {.lr = 0.1});
    for (int i = 0; i < 10; ++i) {
        sgd.zero_grad();
        (square(x) * from_vector<double>({0.5, 2}, {2})).sum().backward();  // curvatures 1 and 4
        sgd.step();
    }
    CHECK(x.to_vector<double>()[0] == Approx(3 * std::pow(0.9, 10)).epsilon(1e-12));
    CHECK(x.to_vector<double>()[1] == Approx(-2 * std::pow(0.6, 10)).epsilon(1e-12));
}

TEST_CASE("SGD refuses what makes no sense", "[optim][sgd]") {
    const Tensor x = parameter({1}, {1});
    CHECK(io::error_of([&] { SGD sgd({x}, {.momentum = -0.5}); }) ==
          "[SGD] expected momentum >= 0, got -0.5");
    CHECK(io::error_of([&] { SGD sgd({x}, {.weight_decay = -1}); }) ==
          "[SGD] expected weight_decay >= 0, got -1");
    CHECK(io::error_of([&] { SGD sgd({x}, {.nesterov = true}); }) ==
          "[SGD] nesterov needs momentum > 0 and dampening = 0, got 0 and 0");
    SGD sgd({x}, {.momentum = 0.9});
    CHECK(io::error_of([&] {
              sgd.load_state_dict({{"lr", scalar(1, {.dtype = DType::f64})}, {"0.exp_avg", x}});
          }) == "[SGD] the state has '0.exp_avg', which is not of this optimiser");
}

TEST_CASE("An optimiser does not write into gradients", "[optim][sgd]") {
    const Tensor x = parameter({1, 1}, {2});
    Tensor y = x;
    const Tensor g = from_vector<double>({1, 2}, {2});
    y.set_grad(g);
    SGD sgd({x}, {.lr = 0.1, .momentum = 0.9, .weight_decay = 0.1});
    sgd.step();
    sgd.step();
    CHECK(g.to_vector<double>() == std::vector<double>{1, 2});
}

TEST_CASE("clip_grad_norm_ scales all gradients together", "[optim][clip]") {
    Tensor a = parameter({0, 0}, {2}), b = parameter({0}, {1}, DType::f32), none = parameter({0}, {1});
    const Tensor g = from_vector<double>({3, 0}, {2});
    a.set_grad(g);
    b.set_grad(full({1}, -4));
    CHECK(clip_grad_norm_({a, b, none}, 10).item() == 5);
    CHECK(a.grad().to_vector<double>() == std::vector<double>{3, 0});
    CHECK(clip_grad_norm_({a, b, none}, 1).item() == 5);
    CHECK(a.grad().to_vector<double>()[0] == Approx(3 / (5 + 1e-6)).epsilon(1e-12));
    CHECK(b.grad().item<double>() == Approx(-0.8).epsilon(1e-6));
    CHECK_FALSE(none.grad().defined());
    CHECK(g.to_vector<double>() == std::vector<double>{3, 0});  // perhaps shared with others
    CHECK(clip_grad_norm_({a, b, none}, 1).item() == Approx(1).epsilon(1e-5));
    CHECK(io::error_of([&] { clip_grad_norm_({a}, -1); }) ==
          "[clip_grad_norm_] expected max_norm >= 0, got -1");
}

TEST_CASE("clip_grad_value_ limits each element", "[optim][clip]") {
    Tensor a = parameter({0, 0, 0}, {3});
    a.set_grad(from_vector<double>({3, -0.25, -7}, {3}));
    clip_grad_value_({a}, 0.5);
    CHECK(a.grad().to_vector<double>() == std::vector<double>{0.5, -0.25, -0.5});
    CHECK(io::error_of([&] { clip_grad_value_({a}, NAN); }) ==
          "[clip_grad_value_] expected clip_value >= 0, got nan");
}

}  // namespace
}  // namespace lily::optim
