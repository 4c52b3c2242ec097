// SPDX-License-Identifier: MIT
// StyleGAN's networks, gradients and training against PyTorch.
#include "framework/autograd.h"
#include "tests/models/golden_stylegan.h"

namespace lily::testing {
namespace {

using namespace models;

constexpr double kTight = 1e-10;   // f64 against f64
constexpr double kRounded = 1e-4;  // f32 against f64

struct Networks {
    StyleGenerator g;
    StyleDiscriminator d;
    Tensor z, real, labels;

    Networks(const std::string& name, int64_t classes, DType dtype)
        : g(golden_options(classes, dtype), nn::skip_init), d(golden_options(classes, dtype), nn::skip_init) {
        g.load_state_dict(golden_part(name + "/generator/", dtype));
        d.load_state_dict(golden_part(name + "/discriminator/", dtype));
        Generator random(9);
        z = randn({kGoldenBatch, 6}, random, {.dtype = dtype});
        real = golden_reals(random, golden_options(classes, dtype));
        if (classes > 0) labels = from_vector(golden_labels(classes), {kGoldenBatch});
    }
};

const struct Stage {
    const char* name;
    Growth growth;
} kStages[] = {{"full", {16}}, {"fading", {16, 0.3}}, {"small", {8}}};

double precision(DType dtype) { return dtype == DType::f64 ? kTight : kRounded; }

}  // namespace

TEST_CASE("stylegan: w, pictures and logits are PyTorch's, grown or fading in", "[stylegan]") {
    for (const DType dtype : {DType::f64, DType::f32})
        for (const auto& [name, classes] : {std::pair{"plain", 0}, {"classes", 3}}) {
            Networks n(name, classes, dtype);
            const std::string prefix = std::string(name) + "/";
            const Tensor w = n.g.map(n.z, n.labels);
            check_golden(w, prefix + "w", precision(dtype));
            const std::vector<Tensor> styles = n.g.same_style(slice(w, 0, 0, 2));
            for (const auto& [stage, growth] : kStages) {
                const Tensor pictures = n.g.synthesize(styles, n.g.constant_noise(), growth);
                check_golden(pictures, prefix + stage + "/pictures", precision(dtype));
                const Tensor logits = n.d.judge(shrink_to(n.real, growth), n.labels, growth);
                check_golden(logits, prefix + stage + "/logits", precision(dtype));
            }
        }
}

TEST_CASE("stylegan: R1 and its gradients are PyTorch's", "[stylegan]") {
    for (const DType dtype : {DType::f64, DType::f32})
        for (const auto& [name, classes] : {std::pair{"plain", 0}, {"classes", 3}})
            for (const auto& [stage, growth] : kStages) {
                Networks n(name, classes, dtype);
                const std::string prefix = std::string(name) + "/" + stage;
                Tensor x = shrink_to(n.real, growth).detach();
                x.set_requires_grad(true);
                const double side =
                    static_cast<double>(growth.resolution) / 16;  // of PyTorch's pixels in ours
                const Tensor r1 = gradient_square(n.d.judge(x, n.labels, growth), x) * (side * side);
                check_golden(r1, prefix + "/r1", precision(dtype));
                if (!golden_stylegan().contains(prefix + "/r1_gradient/conv.weight")) continue;
                r1.backward();
                check_golden_gradients(n.d, prefix + "/r1_gradient/", precision(dtype));
            }
}

TEST_CASE("stylegan: at 128² the networks are PyTorch's with the original's doubling convolutions",
          "[stylegan]") {
    for (const DType dtype : {DType::f64, DType::f32}) {
        const StyleGanOptions options{.resolution = 128,
                                      .channels = 1,
                                      .latent = 6,
                                      .width = 5,
                                      .mapping_layers = 3,
                                      .feature_base = 64,
                                      .feature_max = 2,
                                      .dtype = dtype};
        StyleGenerator g(options, nn::skip_init);
        StyleDiscriminator d(options, nn::skip_init);
        StateDict of_g = golden_part("wide/generator/", dtype);
        for (const auto& [name, buffer] : g.named_buffers()) of_g.emplace(name, zeros_like(buffer));
        g.load_state_dict(of_g);
        d.load_state_dict(golden_part("wide/discriminator/", dtype));
        Generator random(9);
        const Tensor w = g.map(randn({2, 6}, random, {.dtype = dtype}));
        const Tensor pictures = g.synthesize(g.same_style(w), no_noise(), {128});
        const Tensor rows = golden_stylegan().at("wide/pictures");
        int64_t at = 0;
        for (const int64_t row : {0, 1, 2, 3, 63, 64, 126, 127}) {
            INFO("row " << row);
            const Tensor want = slice(rows, 2, at, at + 1);
            CHECK(golden_error(slice(pictures, 2, row, row + 1), want) <= precision(dtype));
            ++at;
        }
        check_golden(d.judge(pictures, {}, {128}), "wide/logits", precision(dtype));
    }
}

namespace {

struct Kind {
    const char* name;
    StyleGanLoss loss = StyleGanLoss::nonsaturating;
    int64_t classes = 0, penalty_every = 1;
};
const Kind kKinds[] = {{"plain"},
                       {.name = "classes", .classes = 3},
                       {.name = "lazy", .penalty_every = 2},
                       {.name = "wgan_gp", .loss = StyleGanLoss::wgan_gp},
                       {.name = "r3", .loss = StyleGanLoss::r3}};

StyleGanRecipe golden_recipe(const Kind& kind) {
    return {.loss = kind.loss,
            .gamma = 50,
            .penalty_every = kind.penalty_every,
            .learning_rate = 0.003,
            .batch_size = kGoldenBatch,
            .ema_half_life = 100,
            .growth = {.start = 8, .train = 20, .fade = 24},
            .seed = 11};
}

void check_training(const Kind& kind, DType dtype, Device device) {
    const std::string name = kind.name, weights = kind.classes > 0 ? "classes" : "plain";
    INFO(name << " on " << lily::name(device) << " in " << lily::name(dtype));
    const StyleGanOptions options = golden_options(kind.classes, dtype);
    StyleGanTrainer trainer(options, golden_recipe(kind), device);
    trainer.generator().load_state_dict(golden_part(weights + "/generator/", dtype));
    trainer.average().load_state_dict(golden_part(weights + "/generator/", dtype));
    trainer.discriminator().load_state_dict(golden_part(weights + "/discriminator/", dtype));
    const auto want = golden_stylegan().at(name + "/losses").to_vector<double>();
    // wgan-gp adds 1e-12 below a root. Adam's first steps are signs: f32 drifts.
    const double of_losses = dtype == DType::f32 ? 1e-4 : kind.loss == StyleGanLoss::wgan_gp ? 1e-9 : 1e-10;
    Generator random(9);
    for (size_t step = 0; step < 10; ++step) {
        const Growth growth = trainer.growth();
        CHECK(growth.alpha == Approx(step >= 3 && step < 6 ? (8.0 * step - 20) / 24 : 1));
        CHECK(growth.resolution == (step < 3 ? 8 : 16));
        const StyleGanStep got = trainer.step(golden_reals(random, options), golden_labels(kind.classes));
        INFO("step " << step);
        const double values[] = {got.d_loss, got.g_loss, got.penalty, got.d_real, got.d_fake};
        for (size_t i = 0; i < 5; ++i) {
            INFO("number " << i << ": " << values[i] << " and " << want[5 * step + i]);
            const double tolerance = of_losses * std::max(1.0, std::fabs(want[5 * step + i]));
            CHECK(std::fabs(values[i] - want[5 * step + i]) <= tolerance);
        }
        const std::string at = name + "/" + std::to_string(step);
        if (dtype == DType::f64 && golden_stylegan().contains(at + "/d_gradient/conv.weight")) {
            check_golden_gradients(trainer.discriminator(), at + "/d_gradient/", 1e-9);
            check_golden_gradients(trainer.generator(), at + "/g_gradient/", 1e-9);
        }
    }
    if (dtype == DType::f64 && golden_stylegan().contains(name + "/average/w_average"))
        for (const auto& [key, tensor] : trainer.average().state_dict())
            check_golden(tensor, name + "/average/" + key, 1e-10);
}

}  // namespace

TEST_CASE("stylegan: ten steps of training are PyTorch's, growing and Adam's beginnings included",
          "[stylegan]") {
    for (const Kind& kind : kKinds) check_training(kind, DType::f64, Device::cpu);
}

TEST_CASE("stylegan: and so they are in f32, on every device", "[stylegan][simt]") {
    for (const Kind& kind : kKinds) check_training(kind, DType::f32, Device::cpu);
    for (const Device device : {Device::simt, Device::cuda})
        if (is_available(device)) check_training(kKinds[0], DType::f32, device);
}

}  // namespace lily::testing
