// SPDX-License-Identifier: MIT
// R1's gradient, which is one of a gradient, against central differences; f32 against f64; long runs.
#include <cmath>

#include "framework/autograd.h"
#include "framework/ops.h"
#include "kernels/common/parallel.h"
#include "models/stylegan/trainer.h"
#include "tests/catch.h"

namespace lily::testing {
namespace {

using namespace models;

StyleGanOptions options_of(int64_t resolution, int64_t features, DType dtype) {
    return {.resolution = resolution,
            .channels = 3,
            .latent = 8,
            .width = 8,
            .mapping_layers = 2,
            .feature_base = 8 * features,
            .feature_max = features,
            .dtype = dtype};
}

Tensor pictures_of(const StyleGanOptions& o, int64_t count) {
    Generator random(9);
    const Tensor numbers =
        rand({count, o.channels, o.resolution, o.resolution}, random, {.dtype = DType::f64});
    return affine(numbers, 2, -1).to(o.dtype);
}

Tensor r1_of(StyleDiscriminator& d, const Tensor& pictures, Growth growth) {
    Tensor x = shrink_to(pictures, growth).detach();
    x.set_requires_grad(true);
    return gradient_square(d.judge(x, {}, growth), x);
}

// Biases begin as 0, where a leaky ReLU of nothing has its kink.
void add_biases(StyleDiscriminator& d, Generator& random) {
    const NoGrad no_grad;
    for (const auto& [name, p] : d.named_parameters())
        if (name.ends_with("bias")) Tensor(p).copy_(randn(p.shape(), random, {.dtype = p.dtype()}) * 0.3);
}

}  // namespace

TEST_CASE("stylegan: R1's gradient is that of central differences", "[stylegan]") {
    for (const Growth growth : {Growth{8}, Growth{8, 0.3}}) {
        Generator random(5);
        const StyleGanOptions options = options_of(8, 3, DType::f64);
        StyleDiscriminator d(options, random);
        add_biases(d, random);
        const Tensor pictures = pictures_of(options, 8);
        r1_of(d, pictures, growth).backward();
        double largest = 0;
        for (auto& [name, parameter] : d.named_parameters()) {
            Tensor p = parameter;
            const Tensor gradient = p.grad();
            const auto got = gradient.defined() ? gradient.to_vector<double>()
                                                : std::vector<double>(static_cast<size_t>(p.numel()));
            for (int64_t i = 0; i < p.numel(); ++i) {
                constexpr double h = 1e-6;
                const double before = p.data<double>()[i];
                double sides[2];
                for (const int side : {0, 1}) {
                    p.mutable_data<double>()[i] = before + (side ? h : -h);
                    sides[side] = r1_of(d, pictures, growth).item<double>();
                }
                p.mutable_data<double>()[i] = before;
                const double want = (sides[1] - sides[0]) / (2 * h);
                largest = std::max(largest, std::fabs(want));
                INFO(name << " " << i << ": " << got[static_cast<size_t>(i)] << ", differences " << want);
                CHECK(std::fabs(got[static_cast<size_t>(i)] - want) <= 1e-8 + 1e-6 * std::fabs(want));
            }
        }
        CHECK(largest > 0.01);
    }
}

namespace {

// R1 of a network of 16² or one that fades in, and its gradients, all on the CPU.
StateDict r1_and_gradients(int64_t features, DType dtype, Device device, Growth growth) {
    Generator random(5);
    StyleDiscriminator wide(options_of(16, features, DType::f64), random);
    add_biases(wide, random);
    StyleDiscriminator d(options_of(16, features, dtype), nn::skip_init);
    StateDict state = wide.state_dict();
    for (auto& [name, tensor] : state) tensor = tensor.to(DType::f32).to(dtype);
    d.load_state_dict(state);
    d.to(device);
    const Tensor pictures = pictures_of(d.options(), 8).to(DType::f32).to(dtype).to(device);
    const Tensor r1 = r1_of(d, pictures, growth);
    r1.backward();
    StateDict all{{"R1", r1.detach()}};
    for (const auto& [name, p] : d.named_parameters())
        all[name] = p.grad().defined() ? p.grad() : zeros_like(p);
    for (auto& [name, tensor] : all) tensor = tensor.to(Device::cpu).to(DType::f64).contiguous();
    return all;
}

void check_r1(const StateDict& got, const StateDict& want, double tolerance) {
    double of_all = 0;
    for (const auto& [name, tensor] : want)
        for (const double v : tensor.to_vector<double>()) of_all = std::max(of_all, std::fabs(v));
    for (const auto& [name, tensor] : want) {
        const auto a = got.at(name).to_vector<double>(), b = tensor.to_vector<double>();
        double error = 0, largest = 1e-3 * of_all;
        for (size_t i = 0; i < b.size(); ++i) {
            if (const double e = std::fabs(a[i] - b[i]); !(e <= error)) error = e;
            largest = std::max(largest, std::fabs(b[i]));
        }
        INFO(name << ": " << error / largest);
        CHECK(error <= tolerance * largest);
    }
}

}  // namespace

// 16 and 32 maps are kept in blocks of 8 or 16 channels on the CPU, 12 are not.
TEST_CASE("stylegan: maps are blocked where the CPU's vectors are as long", "[stylegan]") {
    if (!kernels::has_wide_vectors()) SKIP("this CPU has no blocked formats");
    Generator random(1);
    const Tensor rgb = randn({2, 3, 16, 16}, random);
    for (const int64_t features : {12, 16, 32}) {
        EqualConv2d from_rgb(3, features, 1, random), conv(features, features, 3, random);
        CHECK((channel_block(conv.forward(from_rgb.forward(rgb)).format()) > 1) == (features % 16 == 0));
    }
}

TEST_CASE("stylegan: R1's gradients of f32, in blocked formats and on GPUs, are f64's", "[stylegan][simt]") {
    for (const int64_t features : {12, 16, 32})
        for (const Growth growth : {Growth{16}, Growth{16, 0.3}, Growth{8}}) {
            const StateDict want = r1_and_gradients(features, DType::f64, Device::cpu, growth);
            for (const Device device : {Device::cpu, Device::simt, Device::cuda}) {
                if (!is_available(device) || (device == Device::simt && features == 32)) continue;
                INFO(features << " maps on " << name(device) << ", " << growth.resolution << ", "
                              << growth.alpha);
                check_r1(r1_and_gradients(features, DType::f32, device, growth), want, 2e-5);
            }
        }
}

TEST_CASE("stylegan: a training step on a GPU is the CPU's", "[stylegan][simt]") {
    for (const StyleGanLoss loss : {StyleGanLoss::nonsaturating, StyleGanLoss::wgan_gp, StyleGanLoss::r3}) {
        const auto step_on = [&](Device device) {
            const StyleGanRecipe recipe{.loss = loss, .batch_size = 4, .growth = {.train = 0, .fade = 0}};
            const StyleGanOptions options = options_of(16, 16, DType::f32);
            StyleGanTrainer trainer(options, recipe, device);
            return trainer.step(pictures_of(options, 4));
        };
        const StyleGanStep want = step_on(Device::cpu);
        for (const Device device : {Device::simt, Device::cuda}) {
            if (!is_available(device)) continue;
            const StyleGanStep got = step_on(device);
            INFO(name(device) << ", loss " << static_cast<int>(loss));
            CHECK(got.d_loss == Approx(want.d_loss).epsilon(2e-5));
            // After D's first step, which is its gradient's sign, also where that is rounding.
            CHECK(got.g_loss == Approx(want.g_loss).epsilon(2e-4));
            CHECK(got.penalty == Approx(want.penalty).epsilon(1e-4));
            CHECK(got.d_real == Approx(want.d_real).epsilon(2e-5).margin(2e-5));
            CHECK(got.d_fake == Approx(want.d_fake).epsilon(2e-5).margin(2e-5));
        }
    }
}

TEST_CASE("stylegan: at batch 4 a training stays finite", "[stylegan]") {
    const StyleGanOptions options = options_of(8, 8, DType::f32);
    StyleGanTrainer trainer(options, {.batch_size = 4, .growth = {.start = 4, .train = 200, .fade = 400}});
    Generator random(2);
    // Four pictures of a colour and some grain: few enough to be learned by heart.
    const Tensor pictures = randn({4, 3, 8, 8}, random) * 0.1 + (rand({4, 3, 1, 1}, random) * 2.0 - 1.0);
    for (int i = 0; i < 400; ++i) {
        const StyleGanStep step = trainer.step(pictures);
        for (const double value : {step.d_loss, step.g_loss, step.penalty, step.d_real, step.d_fake})
            REQUIRE(std::isfinite(value));
    }
    CHECK(trainer.growth() == Growth{8});
    nn::Module* const modules[] = {&trainer.generator(), &trainer.discriminator(), &trainer.average()};
    for (const nn::Module* module : modules)
        for (const auto& [name, p] : module->named_parameters())
            for (const double value : p.to_vector<double>()) REQUIRE(std::isfinite(value));
}

}  // namespace lily::testing
