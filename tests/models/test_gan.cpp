// SPDX-License-Identifier: MIT
// The two players' training against PyTorch (tests/golden/make_gan.py), on every device, and its checkpoints.
#include "framework/ops.h"
#include "models/gan/model_file.h"
#include "models/gan/monitor.h"
#include "models/gan/trainer.h"
#include "tests/catch.h"
#include "tests/framework/io/io_test.h"

namespace lily::testing {
namespace {

using namespace models;
using Catch::Matchers::ContainsSubstring;

constexpr int64_t kBatch = 6, kSteps = 20;
constexpr uint64_t kSeed = 77;

const StateDict& golden() {
    static const StateDict tensors =
        io::load_tensors(LILY_SOURCE_DIR "/tests/golden/gan.safetensors").tensors;
    return tensors;
}

// The golden entries below `prefix`, as f32.
StateDict golden_part(const std::string& prefix) {
    StateDict part;
    for (const auto& [name, tensor] : golden())
        if (name.starts_with(prefix))
            part[name.substr(prefix.size())] =
                is_floating(tensor.dtype()) ? tensor.to(DType::f32) : tensor.clone();
    REQUIRE(!part.empty());
    return part;
}

GanOptions small(bool batch_norm = true) {
    return {.pixels = 12, .latent = 5, .g_hidden = {8, 7}, .d_hidden = {9, 6}, .batch_norm = batch_norm};
}

GanRecipe small_recipe(GanLoss loss) {
    return {.loss = loss, .g_learning_rate = 0.01, .d_learning_rate = 0.01, .ema = 0.9, .seed = kSeed};
}

data::Batch golden_batch(int64_t step) {
    data::Batch batch;
    batch.pixels = slice(golden().at("real").to(DType::f32), 0, step, step + 1).reshape({kBatch, 12});
    return batch;
}

// A trainer at the golden run's start.
std::unique_ptr<GanTrainer> at_start(const std::string& name, GanLoss loss, bool batch_norm, Device device) {
    auto trainer = std::make_unique<GanTrainer>(small(batch_norm), small_recipe(loss), device);
    trainer->best_generator().load_state_dict(golden_part(name + "/generator/"));
    trainer->generator().load_state_dict(golden_part(name + "/generator/"));
    trainer->discriminator().load_state_dict(golden_part(name + "/discriminator/"));
    return trainer;
}

// |got - want| below `tolerance` of the largest |want|.
void check_close(const Tensor& got, const Tensor& want, double tolerance) {
    const auto a = got.to_vector<double>(), b = want.to_vector<double>();
    REQUIRE(a.size() == b.size());
    double largest = 0, error = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        largest = std::max(largest, std::fabs(b[i]));
        if (const double e = std::fabs(a[i] - b[i]); !(e <= error)) error = e;
    }
    CHECK(error <= tolerance * std::max(largest, 1e-3));
}

void check_gradients(const nn::Module& module, const std::string& prefix) {
    for (const auto& [name, parameter] : module.named_parameters()) {
        INFO(prefix + name);
        REQUIRE(parameter.grad().defined());
        // Before batch norm a bias has no effect: its gradient is rounding.
        check_close(parameter.grad(), golden().at(prefix + name), 2e-5);
    }
}

struct Kind {
    const char* name;
    GanLoss loss;
    bool batch_norm = true;
};
const Kind kKinds[] = {{"default", GanLoss::nonsaturating}, {"plain", GanLoss::nonsaturating, false},
                       {"minimax", GanLoss::minimax},       {"lsgan", GanLoss::lsgan},
                       {"wgan_gp", GanLoss::wgan_gp},       {"hinge", GanLoss::hinge}};

void check_golden_run(const Kind& kind, Device device) {
    const std::string name = kind.name;
    INFO(name << " on " << lily::name(device));
    const auto trainer = at_start(name, kind.loss, kind.batch_norm, device);
    const auto want = golden().at(name + "/losses").to_vector<double>();
    for (int64_t i = 0; i < kSteps; ++i) {
        const GanStep got = trainer->step([&] { return golden_batch(i); });
        INFO("step " << i);
        const double* w = want.data() + 3 * i;
        // f32 against f64: differences grow with the steps, Adam's first ones are signs.
        const double tolerance = i < 3 ? 1e-5 : 1e-3;
        CHECK(got.d_loss == Approx(w[0]).epsilon(tolerance).margin(tolerance));
        CHECK(got.g_loss == Approx(w[1]).epsilon(tolerance).margin(tolerance));
        CHECK(got.penalty == Approx(w[2]).epsilon(tolerance).margin(tolerance));
        if (i == 0) {
            check_gradients(trainer->discriminator(), name + "/d_gradient/");
            check_gradients(trainer->generator(), name + "/g_gradient/");
            for (const auto& [buffer, value] : trainer->generator().named_buffers())
                if (is_floating(value.dtype()))
                    check_close(value, golden().at(name + "/after_first/" + buffer), 2e-5);
        }
    }
}

}  // namespace

TEST_CASE("gan: losses, gradients and statistics are PyTorch's", "[gan]") {
    for (const Kind& kind : kKinds) check_golden_run(kind, Device::cpu);
}

TEST_CASE("gan: and so they are on the GPUs of this build", "[gan][simt]") {
    for (const Device device : {Device::simt, Device::cuda})
        if (is_available(device))
            for (const Kind& kind : {kKinds[0], kKinds[4]}) check_golden_run(kind, device);
}

TEST_CASE("gan: a saved trainer goes on with the same bits", "[gan]") {
    const data::Dataset set = [] {
        data::Dataset set{.count = 30, .channels = 1, .height = 3, .width = 4, .classes = 3};
        for (int i = 0; i < 360; ++i) set.pixels.push_back(static_cast<uint8_t>(i * 37));
        for (int i = 0; i < 30; ++i) set.labels.push_back(static_cast<uint8_t>(i % 3));
        return set;
    }();
    GanOptions options = small();
    options.classes = 3;
    options.dropout = 0.3;
    GanRecipe recipe = small_recipe(GanLoss::nonsaturating);
    recipe.d_steps = 2;
    const io::ScratchFolder folder;
    const std::string path = folder / "run.safetensors";

    struct Part {
        Part(const data::Dataset& set, const GanOptions& options, const GanRecipe& recipe,
             const std::string& resume)
            : loss(recipe.loss),
              trainer(options, recipe),
              loader(set, kBatch, 1),
              monitor(set),
              run({.program = kGanProgram, .resume = resume, .steps = 9, .quiet = true}, {{"D"}, {"G"}}) {
            trainer.add_to(run);
            run.add("loader", loader);
            run.add("saturation", monitor.saturation());
            run.describe([&](io::Checkpoint& c) { put_description(c, trainer.options(), {1, 3, 4}); });
        }
        void step() {
            const GanStep s = trainer.step([&] { return loader.next(); });
            monitor.see(s, loss);
            run.log({s.d_loss, s.g_loss});
        }
        GanLoss loss;
        GanTrainer trainer;
        data::Loader loader;
        CollapseMonitor monitor;
        train::Run run;
    };
    Part whole(set, options, recipe, ""), cut(set, options, recipe, path);
    for (int i = 0; i < 3; ++i) cut.trainer.step([&] { return cut.loader.next(); });  // it was elsewhere
    whole.run.loop([&] {
        whole.step();
        if (whole.run.step() == 4) whole.run.save(path);
    });
    const LoadedGenerator loaded = load_generator(path);
    CHECK(loaded.options == options);
    cut.run.begin();
    const std::vector<int64_t> labels = {2, 0};
    const Tensor z = full({2, 5}, 0.5);
    CHECK(loaded.sample(z, labels, Device::cpu).to_vector() ==
          cut.trainer.sample(z, from_vector(labels, {2})).to_vector());
    cut.run.loop([&] { cut.step(); });
    CHECK(cut.run.step() == 9);
    for (const char* column : {"D", "G"}) {
        const std::vector<double> all = whole.run.history().series(column, "").ys;
        CHECK(cut.run.history().series(column, "").ys == all);  // the state has it, as there is no file
    }
    whole.run.save(folder / "whole.safetensors");
    cut.run.save(folder / "cut.safetensors");
    CHECK(io::text_of(folder / "cut.safetensors") == io::text_of(folder / "whole.safetensors"));
}

// Averaged weights bring other activations than those whose statistics the generator has kept.
TEST_CASE("gan: the average's statistics are those of its own activations", "[gan]") {
    GanTrainer trainer(small(), small_recipe(GanLoss::nonsaturating));
    for (int i = 0; i < 15; ++i) trainer.step([&] { return golden_batch(i); });
    const auto buffers = [](GanGenerator& g) {
        std::vector<std::vector<float>> values;
        for (const auto& [name, value] : g.named_buffers())
            if (is_floating(value.dtype())) values.push_back(value.to_vector());
        return values;
    };
    GanGenerator& average = trainer.best_generator();
    const auto first = buffers(average);
    CHECK(!average.is_training());

    // The first layer's, in f64: of W z + b over normal z, mean b and variance |row of W|².
    const StateDict state = average.state_dict();
    const auto w = state.at("linear0.weight").to_vector<double>(),
               b = state.at("linear0.bias").to_vector<double>();
    const size_t channels = b.size(), latent = w.size() / channels;
    for (size_t c = 0; c < channels; ++c) {
        double square = 0;
        for (size_t k = 0; k < latent; ++k) square += w[c * latent + k] * w[c * latent + k];
        // 2,048 samples: five standard errors
        CHECK(std::fabs(first[0][c] - b[c]) <= 5 * std::sqrt(square / 2048));
        CHECK(first[1][c] == Approx(square).epsilon(5 * std::sqrt(2.0 / 2048)));
    }
    CHECK(buffers(trainer.best_generator()) == first);  // the same noise each time
    trainer.step([&] { return golden_batch(15); });
    CHECK(buffers(trainer.best_generator()) != first);
}

TEST_CASE("gan: both players' gradients are clipped", "[gan]") {
    GanRecipe recipe = small_recipe(GanLoss::nonsaturating);
    recipe.clip_grad = 1e-3;
    GanTrainer trainer(small(), recipe);
    trainer.step([&] { return golden_batch(0); });
    const auto norm_of = [](const nn::Module& module) {
        double squares = 0;
        for (const Tensor& p : module.parameters())
            for (const float g : p.grad().to_vector()) squares += double(g) * double(g);
        return std::sqrt(squares);
    };
    CHECK(norm_of(trainer.discriminator()) == Approx(1e-3).epsilon(1e-2));
    CHECK(norm_of(trainer.generator()) == Approx(1e-3).epsilon(1e-2));
    recipe.clip_grad = -1;
    CHECK_THAT(io::error_of([&] { GanTrainer(small(), recipe); }),
               ContainsSubstring("norm of at least 0, got -1"));
}

TEST_CASE("gan: a loss that is not a number stops the training", "[gan]") {
    GanTrainer trainer(small(), small_recipe(GanLoss::nonsaturating));
    train::Run run({.steps = 3, .quiet = true}, {{"D"}});
    trainer.add_to(run);
    data::Batch batch = golden_batch(0);
    const io::ScratchFolder folder;
    run.save(folder / "good.safetensors");
    batch.pixels.fill_(std::numeric_limits<double>::quiet_NaN());
    CHECK_THROWS_AS(run.loop([&] { run.log({trainer.step([&] { return batch; }).d_loss}); }),
                    train::Diverged);
    CHECK_THROWS_AS(run.save(folder / "bad.safetensors"), train::Diverged);
}

TEST_CASE("gan: networks refuse what does not fit", "[gan]") {
    const auto error = [](auto body) { return io::error_of(body); };
    Generator random;
    CHECK_THAT(error([&] { GanGenerator({.latent = 0}, random); }),
               ContainsSubstring("a latent size of at least 1"));
    CHECK_THAT(error([&] {
                   GanDiscriminator({.d_hidden = {4, 0}}, random);
               }),
               ContainsSubstring("hidden layers of at least 1, got 0"));
    CHECK_THAT(error([&] { GanDiscriminator({.dropout = 1}, random); }),
               ContainsSubstring("dropout in [0,1)"));
    CHECK_THAT(error([&] { GanTrainer({}, {.d_steps = 0}); }), ContainsSubstring("1 step of D"));
    CHECK_THAT(error([&] { GanTrainer({}, {.ema = 1}); }), ContainsSubstring("decay in [0,1)"));
    GanGenerator conditional({.classes = 3}, random);
    CHECK_THAT(error([&] {
                   conditional.generate(zeros({2, 64}));
               }),
               ContainsSubstring("a label per picture"));
    GanTrainer trainer(small(), small_recipe(GanLoss::hinge));
    data::Batch batch;
    batch.pixels = zeros({2, 11});
    CHECK_THAT(error([&] { trainer.step([&] { return batch; }); }),
               ContainsSubstring("expected pictures (N,12), got (2,11)"));
}

TEST_CASE("gan: default networks have the seed's sizes", "[gan]") {
    Generator random;
    // Σ in·out + out, and two numbers per channel of batch norm.
    CHECK(GanGenerator({}, random).parameter_count() ==
          64 * 128 + 128 + 128 * 256 + 256 + 256 * 512 + 512 + 512 * 784 + 784 + 2 * (128 + 256 + 512));
    CHECK(GanDiscriminator({}, random).parameter_count() ==
          784 * 512 + 512 + 512 * 256 + 256 + 256 * 128 + 128 + 128 * 32 + 32 + 32 + 1);
}

}  // namespace lily::testing
