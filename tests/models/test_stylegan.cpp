// SPDX-License-Identifier: MIT
#include <cmath>

#include "framework/ops.h"
#include "framework/random.h"
#include "models/stylegan/growth.h"
#include "models/stylegan/sampler.h"
#include "models/stylegan/trainer.h"
#include "tests/catch.h"

namespace lily::models {
namespace {

TEST_CASE("StyleGAN has as many parameters as published", "[stylegan]") {
    struct Published {
        int64_t resolution, g, d;
    };
    for (const Published& p : {Published{32, 22'841'356, 20'726'785}, Published{64, 25'137'935, 22'498'049},
                               Published{128, 25'843'858, 22'941'313}, Published{256, 26'086'229, 23'052'353},
                               Published{1024, 26'219'627, 23'087'249}}) {
        const StyleGanOptions options = stylegan_paper(p.resolution);
        CHECK(StyleGenerator(options, nn::skip_init).parameter_count() == p.g);
        CHECK(StyleDiscriminator(options, nn::skip_init).parameter_count() == p.d);
    }
    CHECK(StyleGenerator(stylegan_paper(512), nn::skip_init).parameter_count() == 26'179'768);
}

TEST_CASE("Resolutions are trained, then faded in", "[stylegan]") {
    const GrowthSchedule schedule{.start = 8, .train = 100, .fade = 50};
    CHECK(schedule.at(0, 32) == Growth{8});
    CHECK(schedule.at(99, 32) == Growth{8});
    CHECK(schedule.at(100, 32) == Growth{16, 0});
    CHECK(schedule.at(125, 32) == Growth{16, 0.5});
    CHECK(schedule.at(150, 32) == Growth{16});
    CHECK(schedule.at(250, 32) == Growth{32, 0});
    CHECK(schedule.at(299, 32) == Growth{32, 49.0 / 50});
    CHECK(schedule.at(300, 32) == Growth{32});
    CHECK(schedule.at(1'000'000, 32) == Growth{32});
    CHECK(schedule.grown_after(32) == 300);
    CHECK(GrowthSchedule{.start = 8, .train = 0, .fade = 0}.at(0, 64) == Growth{64});
    CHECK(GrowthSchedule{.start = 16, .train = 10, .fade = 10}.at(0, 8) == Growth{8});
}

// Tiny networks of all their parts.
StyleGanOptions tiny(int64_t classes = 0) {
    return {.resolution = 16,
            .channels = 3,
            .classes = classes,
            .latent = 8,
            .width = 8,
            .mapping_layers = 2,
            .feature_base = 64,
            .feature_max = 16};
}

TEST_CASE("A training of all losses, with classes and without, stays finite and repeats", "[stylegan]") {
    for (const int64_t classes : {0, 3})
        for (const StyleGanLoss loss :
             {StyleGanLoss::nonsaturating, StyleGanLoss::wgan_gp, StyleGanLoss::r3}) {
            const auto run = [&] {
                StyleGanTrainer trainer(tiny(classes), {.loss = loss,
                                                        .gamma = 1,
                                                        .batch_size = 8,
                                                        .growth = {.start = 8, .train = 8, .fade = 16},
                                                        .augmentation = {true, true, true}});
                Generator random(3);
                std::vector<double> losses;
                for (int i = 0; i < 4; ++i) {
                    const StyleGanStep step = trainer.step(
                        randn({8, 3, 16, 16}, random),
                        classes > 0 ? std::vector<int64_t>{0, 1, 2, 0, 1, 2, 0, 1} : std::vector<int64_t>{});
                    losses.insert(losses.end(),
                                  {step.d_loss, step.g_loss, step.penalty, step.d_real, step.d_fake});
                }
                CHECK(trainer.pictures_seen() == 32);
                return losses;
            };
            const std::vector<double> losses = run();
            for (const double value : losses) CHECK(std::isfinite(value));
            CHECK(run() == losses);
        }
}

TEST_CASE("A seed's picture is the same in every batch", "[stylegan]") {
    Generator random(1);
    StyleGenerator generator(tiny(), random);
    for (auto& [name, tensor] : generator.named_parameters())
        if (name.ends_with("noise_weight")) Tensor(tensor).copy_(full(tensor.shape(), 0.5));
    generator.w_average.copy_(randn({8}, random));
    const StyleSampler sampler(generator, {16}, {.psi = 0.5, .cutoff = 3});
    Seeds many(40);
    for (size_t i = 0; i < many.size(); ++i) many[i] = 100 + i;
    const Tensor all = sampler.pictures(many);
    for (const uint64_t i : {0U, 31U, 32U, 39U}) {
        const auto at = static_cast<int64_t>(i);
        CHECK(sampler.pictures({100 + i}).to_vector<float>() == slice(all, 0, at, at + 1).to_vector<float>());
    }
    // Untruncated layers have w, the others lie between it and the mean.
    const Tensor w = sampler.w({5});
    const std::vector<Tensor> styles = sampler.styles(w);
    CHECK(styles[3].to_vector<float>() == w.to_vector<float>());
    const std::vector<double> near = styles[2].to_vector<double>(), far = w.to_vector<double>(),
                              average = generator.w_average.to_vector<double>();
    for (size_t i = 0; i < near.size(); ++i)
        CHECK(near[i] == Approx(average[i] + 0.5 * (far[i] - average[i])).margin(1e-6));
}

}  // namespace
}  // namespace lily::models
