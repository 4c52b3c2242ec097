// SPDX-License-Identifier: MIT
#include "framework/autograd.h"
#include "framework/nn/layers.h"
#include "framework/ops.h"
#include "models/gan/losses.h"
#include "tests/catch.h"

namespace lily::testing {
namespace {

using namespace models;

Tensor logits(std::vector<double> values) {
    const auto n = static_cast<int64_t>(values.size());
    return from_vector(values, {n, 1});
}

double sigma(double x) { return 1 / (1 + std::exp(-x)); }

}  // namespace

TEST_CASE("gan losses: the formulas of losses.h", "[gan]") {
    const std::vector<double> r = {0.3, -1.2, 2.5}, f = {-0.7, 0.1, 1.9};
    double bce = 0, smooth = 0, least = 0, wasserstein = 0, hinge = 0, g_ns = 0, g_mm = 0, g_ls = 0,
           g_mean = 0;
    for (size_t i = 0; i < 3; ++i) {
        bce += (-std::log(sigma(r[i])) - std::log(1 - sigma(f[i]))) / 3;
        smooth +=
            (-0.9 * std::log(sigma(r[i])) - 0.1 * std::log(1 - sigma(r[i])) - std::log(1 - sigma(f[i]))) / 3;
        least += ((r[i] - 1) * (r[i] - 1) + f[i] * f[i]) / 6;
        wasserstein += (f[i] - r[i]) / 3;
        hinge += (std::max(0.0, 1 - r[i]) + std::max(0.0, 1 + f[i])) / 3;
        g_ns += -std::log(sigma(f[i])) / 3;
        g_mm += std::log(1 - sigma(f[i])) / 3;
        g_ls += (f[i] - 1) * (f[i] - 1) / 6;
        g_mean += -f[i] / 3;
    }
    const auto d = [&](GanLoss loss, double s = 0) {
        return discriminator_loss(loss, logits(r), logits(f), s).item<double>();
    };
    const auto g = [&](GanLoss loss) { return generator_loss(loss, logits(f)).item<double>(); };
    CHECK(d(GanLoss::nonsaturating) == Approx(bce).epsilon(1e-12));
    CHECK(d(GanLoss::minimax) == Approx(bce).epsilon(1e-12));
    CHECK(d(GanLoss::nonsaturating, 0.1) == Approx(smooth).epsilon(1e-12));
    CHECK(d(GanLoss::lsgan) == Approx(least).epsilon(1e-12));
    CHECK(d(GanLoss::wgan_gp) == Approx(wasserstein).epsilon(1e-12));
    CHECK(d(GanLoss::hinge) == Approx(hinge).epsilon(1e-12));
    CHECK(g(GanLoss::nonsaturating) == Approx(g_ns).epsilon(1e-12));
    CHECK(g(GanLoss::minimax) == Approx(g_mm).epsilon(1e-12));
    CHECK(g(GanLoss::lsgan) == Approx(g_ls).epsilon(1e-12));
    CHECK(g(GanLoss::wgan_gp) == Approx(g_mean).epsilon(1e-12));
    CHECK(g(GanLoss::hinge) == Approx(g_mean).epsilon(1e-12));
}

TEST_CASE("gan losses: a linear critic's penalty is (|w| - 1)²", "[gan]") {
    const Tensor w = from_vector<double>({3, 0, -4}, {1, 3});
    const auto critic = [&](const Tensor& x) { return linear(x, w); };
    const Tensor x = zeros({2, 3}, {.dtype = DType::f64}), mix = full({2, 1}, 0.5, {.dtype = DType::f64});
    CHECK(gradient_penalty(critic, x, x, mix).item<double>() == Approx(16).epsilon(1e-9));
}

// A gradient of a gradient: ∂/∂w mean (|∂D/∂x| - 1)², every weight and bias.
TEST_CASE("gan losses: the penalty's gradient is that of central differences", "[gan]") {
    Generator random(3);
    const TensorOptions f64{.dtype = DType::f64};
    nn::Linear first(4, 6, random, nn::Bias::yes, DType::f64),
        second(6, 5, random, nn::Bias::yes, DType::f64), last(5, 1, random, nn::Bias::yes, DType::f64);
    // One activation with kinks, as D has, and a smooth one, whose second derivative is not 0.
    const auto critic = [&](const Tensor& x) { return last(tanh(second(leaky_relu(first(x), 0.2)))); };
    const Tensor real = randn({3, 4}, random, f64), fake = randn({3, 4}, random, f64),
                 mix = rand({3, 1}, random, f64);
    gradient_penalty(critic, real, fake, mix).backward();
    double largest = 0;
    for (nn::Linear* layer : {&first, &second, &last})
        for (Tensor parameter : layer->parameters()) {
            const Tensor gradient = parameter.grad();
            // The last bias does not move the slope at all.
            const std::vector<double> got = gradient.defined()
                                                ? gradient.to_vector<double>()
                                                : std::vector<double>(static_cast<size_t>(parameter.numel()));
            for (int64_t i = 0; i < parameter.numel(); ++i) {
                constexpr double h = 1e-5;
                const double before = parameter.data<double>()[i];
                double sides[2];
                for (const int side : {0, 1}) {
                    parameter.mutable_data<double>()[i] = before + (side ? h : -h);
                    sides[side] = gradient_penalty(critic, real, fake, mix).item<double>();
                }
                parameter.mutable_data<double>()[i] = before;
                const double want = (sides[1] - sides[0]) / (2 * h);
                largest = std::max(largest, std::fabs(want));
                INFO(parameter.shape().numel() << " weights, number " << i);
                const double error = std::fabs(got[static_cast<size_t>(i)] - want);
                CHECK(error <= 1e-7 + 1e-6 * std::fabs(want));
            }
        }
    CHECK(largest > 0.01);
}

}  // namespace lily::testing
