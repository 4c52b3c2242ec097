// SPDX-License-Identifier: MIT
// What judges the generator: the monitor, the classifier, the evaluation; and the pictures that people judge.
#include "framework/data/loader.h"
#include "framework/ops.h"
#include "models/gan/model_file.h"
#include "models/gan/monitor.h"
#include "models/metrics/evaluation.h"
#include "tests/catch.h"
#include "tests/framework/io/io_test.h"

namespace lily::testing {
namespace {

using namespace models;
using Catch::Matchers::ContainsSubstring;

// Five kinds of 8x8 pictures: a bright row, somewhere, with grain.
data::Dataset bars(int64_t count) {
    data::Dataset set{.count = count, .channels = 1, .height = 8, .width = 8, .classes = 5};
    Generator random(8);
    for (int64_t i = 0; i < count; ++i) {
        const int64_t kind = i % 5;
        for (int64_t p = 0; p < 64; ++p)
            set.pixels.push_back(static_cast<uint8_t>((p / 8 == kind + 1 ? 190 : 10) + random.next() % 50));
        set.labels.push_back(static_cast<uint8_t>(kind));
    }
    return set;
}

Tensor some(const data::Dataset& set, std::vector<int64_t> kinds, int64_t count) {
    std::vector<int64_t> indices;
    for (int64_t i = 0; i < count; ++i)
        indices.push_back(5 * i + kinds[static_cast<size_t>(i) % kinds.size()]);
    return data::to_pixels(set, indices);
}

void see(CollapseMonitor& monitor, double d_real, double d_fake, GanLoss loss) {
    for (int i = 0; i < 1000; ++i) monitor.see({.d_real = d_real, .d_fake = d_fake}, loss);
}

}  // namespace

TEST_CASE("gan monitor: kinds and variance of the data are healthy, few kinds or one picture are not",
          "[gan]") {
    data::Dataset set = bars(1000);
    for (const bool labelled : {true, false}) {
        if (!labelled) set.labels.clear();  // then kinds are clusters
        INFO("labelled: " << labelled);
        const CollapseMonitor monitor(set);
        const GanHealth good = monitor.check(some(set, {0, 1, 2, 3, 4}, 200));
        CHECK(good.problem.empty());
        CHECK(good.kinds >= 4.99);
        CHECK(good.kinds_of_data >= 4.99);
        CHECK(good.variance == Approx(1).epsilon(0.1));
        const GanHealth two = monitor.check(some(set, {0, 3}, 200));
        CHECK_THAT(two.problem, ContainsSubstring("kinds, the data of"));
        CHECK(two.kinds <= 4.1);
        const GanHealth one = monitor.check(cat(std::vector<Tensor>(50, some(set, {2}, 1)), 0));
        CHECK(one.kinds == Approx(1));
        CHECK(one.variance == Approx(0).margin(1e-9));
    }
    CHECK_THAT(io::error_of([&] {
                   CollapseMonitor(set).check(zeros({3, 5}));
               }),
               ContainsSubstring("expected samples with features (N,64)"));
}

TEST_CASE("gan monitor: grey samples of every kind vary too little", "[gan]") {
    const data::Dataset set = bars(1000);
    const CollapseMonitor monitor(set);
    const Tensor pictures = some(set, {0, 1, 2, 3, 4}, 200);
    const Tensor faint = pictures * 0.3 + mean(pictures, {0}, true) * 0.7;
    const GanHealth health = monitor.check(faint);
    CHECK_THAT(health.problem, ContainsSubstring("the samples vary 9 % as much as the data"));
    CHECK(!monitor.check(pictures * std::numeric_limits<double>::quiet_NaN()).problem.empty());
}

TEST_CASE("gan monitor: a certain D is a problem of losses with beliefs only", "[gan]") {
    const data::Dataset set = bars(100);
    const Tensor good = some(set, {0, 1, 2, 3, 4}, 20);
    CollapseMonitor monitor(set);
    see(monitor, 0.7, 0.2, GanLoss::nonsaturating);
    CHECK(monitor.saturation() == Approx(0.5).epsilon(1e-3));
    CHECK(monitor.check(good).problem.empty());
    see(monitor, 1, 0.001, GanLoss::nonsaturating);
    CHECK_THAT(monitor.check(good).problem, ContainsSubstring("certain of everything"));
    see(monitor, 50, -50, GanLoss::hinge);
    CHECK(monitor.check(good).problem.empty());
}

TEST_CASE("gan classifier: learns, is saved, and measures", "[gan]") {
    const data::Dataset set = bars(500);
    Generator random(1);
    DigitClassifier classifier({1, 8, 8}, 5, random);
    train_classifier(classifier, set, {.epochs = 12, .seed = 2});
    const double right = accuracy(classifier, set);
    CHECK(right >= 0.99);
    const io::ScratchFolder folder;
    save_classifier(folder / "c.safetensors", classifier, right);
    const LoadedClassifier loaded = load_classifier(folder / "c.safetensors");
    CHECK(loaded.accuracy == right);
    const Tensor pictures = some(set, {0, 1, 2, 3, 4}, 100);
    CHECK(loaded.classifier->forward(pictures).to_vector() == classifier.forward(pictures).to_vector());

    Evaluator evaluator(classifier, set, Device::cpu);
    const GanQuality all = evaluator.quality(pictures), two = evaluator.quality(some(set, {1, 3}, 100));
    CHECK(all.frechet >= 0);
    CHECK(two.frechet > 5 * all.frechet);
    CHECK(all.confidence > 0.9);
    CHECK(all.least_share() == Approx(0.2).margin(0.02));
    CHECK(two.least_share() == 0);
    CHECK(two.most_share() == Approx(0.5).margin(0.02));
    CHECK(evaluator.share_seen_as(some(set, {1, 3}, 2), {1, 4}) == 0.5);
    CHECK_THAT(io::error_of([&] {
                   Evaluator(classifier, {.count = 1, .channels = 1, .height = 4, .width = 4}, Device::cpu);
               }),
               ContainsSubstring("the classifier is for pictures of 8x8"));
    io::Checkpoint huge = io::load_checkpoint(folder / "c.safetensors");
    huge.put_integer("height", 4000), huge.put_integer("width", 4000);
    io::save_checkpoint(folder / "huge.safetensors", huge);
    const int64_t before = allocator(Device::cpu).stats().peak_bytes;
    CHECK_THAT(io::error_of([&] { load_classifier(folder / "huge.safetensors"); }),
               ContainsSubstring("described as (128,32000000)"));
    CHECK(allocator(Device::cpu).stats().peak_bytes < before + (1 << 20));
    io::write_file_atomically(folder / "d.safetensors", std::string_view("no"));
    CHECK_THAT(io::error_of([&] { load_classifier(folder / "d.safetensors"); }),
               ContainsSubstring("d.safetensors"));
}

TEST_CASE("gan evaluation: copies are found, noise is far away", "[gan]") {
    const data::Dataset set = bars(300);
    const CopyCheck copies = check_for_copies(some(set, {0, 1, 2, 3, 4}, 20), set);
    CHECK(copies.copies == Approx(1));
    CHECK(copies.least <= 0.01);
    Generator random(3);
    const CopyCheck noise = check_for_copies(rand({20, 64}, random) * 2.0 - 1.0, set);
    CHECK(noise.copies == 0);
    CHECK(noise.median > noise.median_of_data);
}

TEST_CASE("gan pictures: grids and sheets", "[gan]") {
    const Tensor samples = from_vector<float>({-1, 1, 0, 2, -3, 0.5f}, {3, 2});
    const io::Image grid = io::sample_grid(samples, {1, 1, 2}, 2, 3);
    CHECK(grid.width == 12);
    CHECK(grid.height == 6);
    CHECK(int{*grid.at(2, 2)} == 0);
    CHECK(int{*grid.at(0, 3)} == 255);
    CHECK(int{*grid.at(1, 8)} == 128);
    CHECK(int{*grid.at(0, 11)} == 255);  // 2 is cut off
    CHECK(int{*grid.at(5, 0)} == 0);
    CHECK(int{*grid.at(5, 4)} == 191);
    CHECK(int{*grid.at(5, 9)} == 0);  // nothing there
    const io::Image colour = io::to_picture(from_vector<float>({-1, 1, 0, 0, 1, -1}, {1, 6}), 0, {3, 1, 2});
    CHECK(colour.pixels == std::vector<uint8_t>{0, 128, 255, 255, 128, 0});
    const io::Image sheet = io::contact_sheet({grid, grid, grid}, 2);
    CHECK(sheet.width == 2 * 16 + 4);
    CHECK(sheet.height == 2 * 10 + 4);
    CHECK(int{*sheet.at(0, 0)} == 255);
    CHECK(int{*sheet.at(4, 4)} == 0);
    CHECK_THAT(io::error_of([&] {
                   io::contact_sheet({grid, colour}, 2);
               }),
               ContainsSubstring("pictures of one size"));
    CHECK_THAT(io::error_of([&] {
                   io::sample_grid(samples, {1, 1, 3}, 2);
               }),
               ContainsSubstring("expected (N,3)"));
}

TEST_CASE("gan files: a generator comes back; what is damaged is refused", "[gan]") {
    const GanOptions options{.pixels = 6, .latent = 3, .g_hidden = {4}, .d_hidden = {}, .dropout = 0.25};
    Generator random(2);
    GanGenerator generator(options, random);
    generator.generate(randn({8, 3}, random));  // moves the statistics
    generator.eval();
    const io::ScratchFolder folder;
    const std::string path = folder / "g.safetensors";
    save_generator(path, generator, options, {1, 2, 3});
    const LoadedGenerator loaded = load_generator(path);
    CHECK(loaded.options == options);
    CHECK(loaded.size == io::PictureSize{1, 2, 3});
    const Tensor z = randn({5, 3}, random);
    CHECK(loaded.sample(z, {}, Device::cpu).to_vector() == generator.generate(z).to_vector());

    const io::Checkpoint good = io::load_checkpoint(path);
    const auto error_with = [&](const std::string& key, const std::string& value) {
        io::Checkpoint bad = good;
        bad.metadata[key] = value;
        io::save_checkpoint(folder / "bad.safetensors", bad);
        return io::error_of([&] { load_generator(folder / "bad.safetensors"); });
    };
    CHECK_THAT(error_with("g_hidden", "4,"), ContainsSubstring("'g_hidden' is '4,', expected layer sizes"));
    CHECK_THAT(error_with("g_hidden", "4,-1"), ContainsSubstring("expected layer sizes"));
    CHECK_THAT(error_with("g_hidden", "99999999999"), ContainsSubstring("expected layer sizes"));
    CHECK_THAT(error_with("g_hidden", "5"), ContainsSubstring("described as (5,3)"));
    CHECK_THAT(error_with("latent", "0"), ContainsSubstring("described as (4,0)"));
    CHECK_THAT(error_with("latent", "99999999"), ContainsSubstring("expected at most"));
    CHECK_THAT(error_with("channels", "2"), ContainsSubstring("for pictures of 2x2x3"));
    CHECK_THAT(error_with("dropout", "x"), ContainsSubstring("'dropout' is 'x'"));
    CHECK_THAT(error_with("program", "style_transfer"), ContainsSubstring("not made by mnist_gan"));
    io::Checkpoint old = good;  // a run's average before there was optim::Ema: nothing else is taken for it
    old.put("average", generator.state_dict());
    io::save_checkpoint(folder / "old.safetensors", old);
    CHECK_THAT(io::error_of([&] { load_generator(folder / "old.safetensors"); }),
               ContainsSubstring("is a run of format 1"));
    // A description of gigabytes takes none before the tensors are looked at.
    const int64_t before = allocator(Device::cpu).stats().peak_bytes;
    CHECK_THAT(error_with("g_hidden", "60000,60000,60000"), ContainsSubstring("described as (60000,3)"));
    CHECK(allocator(Device::cpu).stats().peak_bytes < before + (1 << 20));
}

}  // namespace lily::testing
