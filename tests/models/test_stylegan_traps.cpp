// SPDX-License-Identifier: MIT
// Where other implementations of StyleGAN differ from the original: a test for each (docs/stylegan.md).
#include <fstream>
#include <regex>
#include <set>

#include "framework/autograd.h"
#include "tests/models/golden_stylegan.h"

namespace lily::testing {
namespace {

using namespace models;
using Values = std::vector<double>;

constexpr TensorOptions kF64{.dtype = DType::f64};

StyleGanOptions tiny() { return golden_options(0, DType::f64); }

Tensor parameter(const nn::Module& module, const std::string& name) {
    for (const auto& [key, tensor] : module.named_parameters())
        if (key == name) return tensor;
    FAIL("no parameter " << name);
    return {};
}

void fill(const nn::Module& module, const std::string& name, double value) {
    const NoGrad no_grad;
    Tensor p = parameter(module, name);
    p.copy_(full(p.shape(), value, {.dtype = p.dtype()}));
}

double deviation(const Tensor& x) { return std::sqrt(mean(square(x - mean(x))).item<double>()); }

void check_equal(const Tensor& got, const Values& want, double tolerance = 1e-12) {
    const auto values = got.to_vector<double>();
    REQUIRE(values.size() == want.size());
    for (size_t i = 0; i < want.size(); ++i) {
        INFO("number " << i << ": " << values[i] << ", expected " << want[i]);
        CHECK(std::fabs(values[i] - want[i]) <= tolerance);
    }
}

}  // namespace

TEST_CASE("stylegan trap: the constant begins as ones", "[stylegan]") {
    Generator random(1);
    const StyleGenerator g(tiny(), random);
    check_equal(parameter(g, "blocks.0.const"), Values(4 * 16, 1));
}

TEST_CASE("stylegan trap: the mapping network stores a hundred times what it uses", "[stylegan]") {
    Generator random(1);
    EqualLinear layer(64, 64, random, {.lr_multiplier = 0.01, .dtype = DType::f64});
    CHECK(deviation(layer.weight) == Approx(100).epsilon(0.05));
    CHECK(deviation(parameter(StyleGenerator(tiny(), random), "mapping.layers.0.weight")) ==
          Approx(100).epsilon(0.3));
    fill(layer, "weight", 100);
    fill(layer, "bias", 300);
    // √2/√64 · 0.01 · 100 of each of 64 inputs, 0.01 · 300
    check_equal(layer.forward(ones({1, 64}, kF64)), Values(64, 64 * std::sqrt(2.0) / 8 + 3));
}

TEST_CASE("stylegan trap: styles, ToRGB and D's last layer have gain 1, others √2", "[stylegan]") {
    Generator random(1);
    SynthesisBlock block(0, tiny(), random);
    fill(block, "to_rgb.weight", 1);
    check_equal(block.to_picture().forward(ones({1, 4, 1, 1}, kF64)), Values(3, 4 / std::sqrt(4.0)));
    StyleLayer layer(1, 2, tiny(), random);
    fill(layer, "style.weight", 1);
    // Both scale and bias are 5/√5; the map is ±1 after normalisation.
    const Tensor x = from_vector<double>({1, 3, 3, 1}, {1, 1, 2, 2});
    const double style = std::sqrt(5.0);
    const double one = 1 / std::sqrt(1 + 1e-8);
    check_equal(layer.apply(x, ones({1, 5}, kF64), {}),
                {style - one * (1 + style), style + one * (1 + style), style + one * (1 + style),
                 style - one * (1 + style)});
    StyleDiscriminator d(tiny(), random);
    for (const auto& [name, tensor] : d.named_parameters()) fill(d, name, 0);
    fill(d, "dense0.bias", 1);
    fill(d, "dense1.weight", 1);
    check_equal(d.judge(zeros({1, 3, 16, 16}, kF64), {}, {16}), {4 / std::sqrt(4.0)});
    EqualConv2d conv(2, 1, 3, random, ConvBias::no, {.dtype = DType::f64});
    fill(conv, "weight", 1);
    check_equal(conv.forward(ones({1, 2, 1, 1}, kF64)), {2 * std::sqrt(2.0) / std::sqrt(18.0)});
}

TEST_CASE("stylegan trap: doubling does not divide by four", "[stylegan]") {
    Generator random(1);
    SynthesisBlock block(1, tiny(), random);
    // Normalisation hides the size of the maps, but not beside a bias.
    fill(block, "layer0.bias", 0.7);
    const Tensor x = randn({1, 4, 4, 4}, random, kF64), w = randn({1, 5}, random, kF64);
    const auto conv = [&](const char* name, const Tensor& h) {
        const Tensor weight = parameter(block, name);
        return conv2d(h, weight * std::sqrt(2.0 / (9 * weight.size(1))), {}, {.padding = {1, 1}});
    };
    Tensor h = blur(conv("conv0.weight", upsample_nearest2d(x, {2, 2})));
    h = block.layer(0).apply(h, w, {});
    h = block.layer(1).apply(conv("conv1.weight", h), w, {});
    check_equal(block.apply(x, w, {}, w, {}), h.to_vector<double>());
}

TEST_CASE("stylegan trap: noise has weights of 0 at first, which nothing scales, and comes before the bias",
          "[stylegan]") {
    Generator random(1);
    StyleLayer layer(1, 2, tiny(), random);
    check_equal(parameter(layer, "noise_weight"), {0});
    fill(layer, "noise_weight", 2);
    fill(layer, "bias", 1);
    fill(layer, "style.weight", 0);
    const Tensor noise = from_vector<double>({-1, 0, 1, 2}, {1, 1, 2, 2});
    Values want = {-0.2, 1, 3, 5};  // leaky ReLU of 2 noise + 1
    const double mean_of = 2.2;
    double variance = 0;
    for (const double v : want) variance += (v - mean_of) * (v - mean_of) / 4;
    for (double& v : want) v = (v - mean_of) / std::sqrt(variance + 1e-8);
    check_equal(layer.apply(zeros({1, 1, 2, 2}, kF64), zeros({1, 5}, kF64), noise), want);
}

TEST_CASE("stylegan trap: instance norm divides by √(biased variance + 1e-8)", "[stylegan]") {
    Generator random(1);
    StyleLayer layer(1, 2, tiny(), random);
    const Tensor x = from_vector<double>({1e-3, 3e-3, 1e-3, 3e-3}, {1, 1, 2, 2});
    const double one = 1e-3 / std::sqrt(1e-6 + 1e-8);
    check_equal(layer.apply(x, zeros({1, 5}, kF64), {}), {-one, one, -one, one});
}

TEST_CASE("stylegan trap: D compares four pictures a quarter of the batch apart", "[stylegan]") {
    // Eight pictures; 0, 2, 4, 6 are one group and differ, 1, 3, 5, 7 the other and are the same.
    Values values(8 * 2 * 2 * 2);
    for (size_t i = 0; i < values.size(); ++i) values[i] = (i / 8) % 2 == 0 ? static_cast<double>(i / 8) : 5;
    const Tensor x = from_vector(values, {8, 2, 2, 2});
    const Tensor y = minibatch_stddev(x, 4);
    REQUIRE(y.shape() == Shape{8, 3, 2, 2});
    const Values map = slice(y, 1, 2, 3).to_vector<double>();
    for (size_t i = 0; i < map.size(); ++i)
        CHECK(map[i] == Approx((i / 4) % 2 == 0 ? std::sqrt(5 + 1e-8) : 1e-4).epsilon(1e-12));
    CHECK(slice(y, 1, 0, 2).to_vector<double>() == values);
    CHECK_THROWS_WITH(minibatch_stddev(ones({6, 1, 2, 2}), 4),
                      "[minibatch_stddev] expected a multiple of 4 pictures, got 6");
    CHECK(StyleGanOptions{}.stddev_group == 4);
}

TEST_CASE("stylegan trap: every layer has its own noise, normal, drawn in order", "[stylegan]") {
    Generator random(1);
    StyleGenerator g(tiny(), random);
    std::vector<std::pair<int64_t, int64_t>> asked;
    const Tensor w = randn({1, 5}, random, kF64);
    g.synthesize(g.same_style(w),
                 [&](int64_t layer, int64_t side) {
                     asked.emplace_back(layer, side);
                     return Tensor{};
                 },
                 {16});
    CHECK(asked ==
          std::vector<std::pair<int64_t, int64_t>>{{0, 4}, {1, 4}, {2, 8}, {3, 8}, {4, 16}, {5, 16}});
    const NoiseSource constant = g.constant_noise(), drawn = random_noise(64, random, kF64);
    CHECK(constant(2, 8).to_vector<double>() != constant(3, 8).to_vector<double>());
    const Tensor first = drawn(2, 8), second = drawn(3, 8);
    CHECK(first.shape() == Shape{64, 1, 8, 8});
    CHECK(first.to_vector<double>() != second.to_vector<double>());
    for (const Tensor& noise : {first, second, constant(5, 16)}) {
        CHECK(mean(noise).item<double>() == Approx(0).margin(0.1));
        CHECK(deviation(noise) == Approx(1).epsilon(0.1));
    }
}

namespace {

// The first training step's generated pictures, from the numbers that the trainer is about to draw.
struct Replay {
    StyleGanTrainer& trainer;
    Generator random;
    Values mean_of_w;        // of the last pictures
    int64_t mixed_from = 0;  // 0: one style
    explicit Replay(StyleGanTrainer& t) : trainer(t), random(t.recipe().seed, Stream::noise) {}

    Tensor pictures() {
        const NoGrad no_grad;
        StyleGenerator& g = trainer.generator();
        const int64_t n = trainer.recipe().batch_size, latent = trainer.options().latent;
        const Tensor w = g.map(randn({n, latent}, random, kF64));
        mean_of_w = mean(w, {0}).to_vector<double>();
        std::vector<Tensor> ws = g.same_style(w);
        const Values dice = rand({2}, random).to_vector<double>();
        mixed_from = 0;
        if (dice[0] < 0.9) {  // from one of the layers 1 to 5
            mixed_from = 1 + static_cast<int64_t>(dice[1] * 5);
            const Tensor other = g.map(randn({n, latent}, random, kF64));
            for (auto i = static_cast<size_t>(mixed_from); i < 6; ++i) ws[i] = other;
        }
        return g.synthesize(ws, random_noise(n, random, kF64), {16});
    }
};

StyleGanRecipe recipe_of(uint64_t seed) {
    return {.batch_size = 8, .growth = {.train = 0, .fade = 0}, .seed = seed};
}

}  // namespace

TEST_CASE("stylegan trap: styles are mixed from a layer on, any, in nine of ten batches", "[stylegan]") {
    std::array<int, 6> seen{};
    for (uint64_t seed = 0; seed < 24; ++seed) {
        StyleGanTrainer trainer(tiny(), recipe_of(seed));
        Replay replay(trainer);
        const Tensor logits = trainer.discriminator().judge(replay.pictures(), {}, {16});
        ++seen[static_cast<size_t>(replay.mixed_from)];
        const double want = mean(logits.detach()).item<double>();
        Generator random(9);
        CHECK(std::fabs(trainer.step(golden_reals(random, tiny())).d_fake - want) <= 1e-12);
    }
    for (const int count : seen) CHECK(count > 0);
    CHECK(seen[0] < 8);
}

TEST_CASE("stylegan trap: the mean of w is followed in training, by D's batches and G's", "[stylegan]") {
    StyleGanTrainer trainer(tiny(), recipe_of(3));
    check_equal(trainer.generator().w_average, Values(5, 0));
    Replay replay(trainer);
    Values want(5);
    for (int half = 0; half < 2; ++half) {  // G has the same weights in both
        replay.pictures();
        for (size_t i = 0; i < 5; ++i) want[i] = 0.995 * want[i] + 0.005 * replay.mean_of_w[i];
    }
    Generator random(9);
    trainer.step(golden_reals(random, tiny()));
    check_equal(trainer.generator().w_average, want);
    const Values before = want;
    trainer.step(golden_reals(random, tiny()));
    CHECK(trainer.generator().w_average.to_vector<double>() != before);
    CHECK(trainer.average().w_average.to_vector<double>() != before);  // a copy of D's half step
}

TEST_CASE("stylegan trap: the average's half-life is counted in pictures", "[stylegan]") {
    CHECK(StyleGanRecipe{}.ema_half_life == 10'000);
    for (const int64_t batch : {4, 8}) {
        StyleGanRecipe recipe = recipe_of(3);
        recipe.batch_size = batch;
        recipe.ema_half_life = 16;
        StyleGanTrainer trainer(tiny(), recipe);
        Generator random(9);
        const Tensor real = slice(golden_reals(random, tiny()), 0, 0, batch);
        const std::string name = "blocks.1.conv0.weight";
        const Values first = parameter(trainer.generator(), name).to_vector<double>();
        trainer.step(real);
        const Values second = parameter(trainer.generator(), name).to_vector<double>();
        trainer.step(real);
        const double kept = std::pow(0.5, static_cast<double>(batch) / 16);
        Values want;
        for (size_t i = 0; i < first.size(); ++i) want.push_back(kept * first[i] + (1 - kept) * second[i]);
        check_equal(parameter(trainer.average(), name), want);
    }
}

TEST_CASE("stylegan trap: Adam begins anew at each level, its epsilon beside the uncorrected moment",
          "[stylegan]") {
    StyleGanRecipe recipe = recipe_of(3);
    recipe.growth = {.start = 8, .train = 16, .fade = 16};
    StyleGanTrainer trainer(tiny(), recipe);
    Generator random(9);
    for (int step = 0; step < 6; ++step) {  // two each of 8², of fading, of 16²
        std::map<std::string, Values> before;
        for (const auto& [name, p] : trainer.discriminator().named_parameters())
            before[name] = p.to_vector<double>();
        trainer.step(golden_reals(random, tiny()));
        double error = 0, error_of_kingma = 0;  // of a first step; Kingma's has the epsilon beside √v̂
        for (const auto& [name, p] : trainer.discriminator().named_parameters()) {
            if (!p.grad().defined()) continue;
            const Values after = p.to_vector<double>(), g = p.grad().to_vector<double>();
            for (size_t i = 0; i < g.size(); ++i) {
                const double moved = before[name][i] - after[i], size = std::fabs(g[i]);
                error = std::max(error, std::fabs(moved - 1e-3 * 0.1 * g[i] / (0.1 * size + 1e-8)));
                error_of_kingma = std::max(error_of_kingma, std::fabs(moved - 1e-3 * g[i] / (size + 1e-8)));
            }
        }
        INFO("step " << step);
        if (step % 2 == 0) CHECK(error <= 1e-14);
        if (step % 2 == 1) CHECK(error > 1e-5);
        CHECK(error_of_kingma > 1e-10);
    }
}

TEST_CASE("stylegan trap: D's loss has half of gamma times R1, of the logit, in every step", "[stylegan]") {
    StyleGanRecipe recipe = recipe_of(3);
    CHECK(recipe.gamma == 10);
    CHECK(recipe.penalty_every == 1);
    Generator random(9);
    const Tensor real = golden_reals(random, tiny());
    StyleGanTrainer with(tiny(), recipe);
    Tensor x = real.detach();
    x.set_requires_grad(true);
    const Tensor slope = grad(sum(with.discriminator().judge(x, {}, {16})), {x})[0];
    const double want = sum(square(slope)).item<double>() / 8;
    const StyleGanStep step = with.step(real);
    CHECK(step.penalty == Approx(want).epsilon(1e-12));
    recipe.gamma = 0;
    StyleGanTrainer without(tiny(), recipe);
    CHECK(step.d_loss - without.step(real).d_loss == Approx(5 * want).epsilon(1e-9));
}

TEST_CASE("stylegan trap: penalties are by pixels of the full resolution, however far growing has come",
          "[stylegan]") {
    StyleGanRecipe recipe = recipe_of(3);
    recipe.growth = {.start = 8, .train = 1000, .fade = 1000};
    StyleGanTrainer trainer(tiny(), recipe);
    Generator random(9);
    const Tensor real = golden_reals(random, tiny());
    // D as a function of pictures of 16², which it shrinks.
    Tensor x = upsample_nearest2d(avg_pool2d(real, 2), {2, 2}).detach();
    x.set_requires_grad(true);
    const Tensor slope = grad(sum(trainer.discriminator().judge(avg_pool2d(x, 2), {}, {8})), {x})[0];
    CHECK(trainer.step(real).penalty == Approx(sum(square(slope)).item<double>() / 8).epsilon(1e-12));
}

TEST_CASE("stylegan: docs/stylegan.md has every parameter and buffer", "[stylegan]") {
    std::ifstream file(LILY_SOURCE_DIR "/docs/stylegan.md");
    const std::string page((std::istreambuf_iterator<char>(file)), {});
    StyleGanOptions options = tiny();
    options.classes = 3;
    const StyleGenerator g(options, nn::skip_init);
    const StyleDiscriminator d(options, nn::skip_init);
    std::set<std::string> listed;
    for (const nn::Module* module : {static_cast<const nn::Module*>(&g), static_cast<const nn::Module*>(&d)})
        for (const auto& [name, tensor] : module->state_dict()) {
            const std::string row =
                "| `" + std::regex_replace(name, std::regex("\\.[0-9]+\\."), ".i.") + "` |";
            INFO(row);
            CHECK(page.find(row) != std::string::npos);
            listed.insert(row);
        }
    const std::regex rows("\\n\\| `[a-z]");
    const std::string table = page.substr(page.find("## Names and shapes"));
    CHECK(std::distance(std::sregex_iterator(table.begin(), table.end(), rows), {}) ==
          static_cast<ptrdiff_t>(listed.size() + 2));  // blocks.i.conv1.weight and conv0.weight are of both
}

}  // namespace lily::testing
