// SPDX-License-Identifier: MIT
// A GAN's training on a GPU: each half of a step is one launch, and one copy brings its figures back.
#include <map>

#include "framework/ops.h"
#include "framework/profiler.h"
#include "models/gan/trainer.h"
#include "tests/catch.h"
#include "tests/framework/io/io_test.h"

#if __has_include("simt/xray.h")  // not without the software GPU
#include "simt/xray.h"

namespace lily::testing {
namespace {

using namespace models;

GanOptions options(int64_t classes, double dropout) {
    return {.pixels = 12,
            .latent = 5,
            .g_hidden = {8, 7},
            .d_hidden = {9, 6},
            .classes = classes,
            .dropout = dropout};
}

data::Batch batch_of(int step, int64_t classes) {
    data::Batch batch;
    batch.pixels = reshape(arange(72) * 0.01 - 0.3 + step * 0.02, {6, 12});
    for (int64_t i = 0; i < 6 && classes > 0; ++i) batch.labels.push_back((i + step) % classes);
    return batch;
}

std::map<std::string, std::vector<double>> state_of(GanTrainer& trainer) {
    std::map<std::string, std::vector<double>> all;
    const auto add = [&all](const std::string& prefix, const StateDict& state) {
        for (const auto& [name, tensor] : state) all[prefix + name] = tensor.to_vector<double>();
    };
    add("generator.", trainer.generator().state_dict());
    add("discriminator.", trainer.discriminator().state_dict());
    add("average.", trainer.best_generator().state_dict());
    add("g_adam.", trainer.g_adam().state_dict());
    add("d_adam.", trainer.d_adam().state_dict());
    return all;
}

std::vector<double> values(const GanStep& s) { return {s.d_loss, s.g_loss, s.d_real, s.d_fake, s.penalty}; }

std::map<std::string, uint64_t> calls() {
    std::map<std::string, uint64_t> counts;
    for (const auto& [name, count] : simt::api_calls()) counts[name] = count;
    counts["copies to the host"] = simt::copies_to_host();
    return counts;
}

}  // namespace

TEST_CASE("gan: replayed steps have the bits of plain ones", "[gan][simt]") {
    if (!is_available(Device::simt)) SKIP("this build has no software GPU");
    const struct {
        GanLoss loss;
        int64_t classes;
        double dropout;
        int64_t d_steps;
    } cases[] = {{GanLoss::nonsaturating, 0, 0, 1}, {GanLoss::hinge, 3, 0.3, 2}, {GanLoss::wgan_gp, 3, 0, 1}};
    for (const auto& c : cases) {
        const GanRecipe recipe{.loss = c.loss, .clip_grad = 0.5, .d_steps = c.d_steps, .ema = 0.9, .seed = 5};
        GanTrainer plain(options(c.classes, c.dropout), recipe, Device::simt),
            replayed(options(c.classes, c.dropout), recipe, Device::simt);
        for (int i = 0; i < 9; ++i) {
            INFO("loss " << static_cast<int>(c.loss) << ", step " << i);
            const auto next = [&] { return batch_of(i, c.classes); };
            const GanStep want = [&] {
                const Profiler by_ops(Device::simt);  // which a replay has not
                return plain.step(next);
            }();
            CHECK(values(replayed.step(next)) == values(want));
            if (i == 6) {
                plain.change_course(1, 0.5);
                replayed.change_course(1, 0.5);
            }
        }
        CHECK(state_of(replayed) == state_of(plain));
    }
}

TEST_CASE("gan: a step on a GPU is a launch for each half and one copy to the host", "[gan][simt]") {
    if (!is_available(Device::simt)) SKIP("this build has no software GPU");
    for (const int64_t d_steps : {1, 3}) {
        GanTrainer trainer(options(3, 0.2), {.clip_grad = 0.5, .d_steps = d_steps}, Device::simt);
        std::optional<LateGanStep> before;
        const auto step = [&](int i) {
            LateGanStep now = trainer.begin_step([&] { return batch_of(i, 3); });
            CHECK(!now.is_ready());
            if (before) CHECK(std::isfinite(before->get().d_loss));
            before = std::move(now);
        };
        for (int i = 0; i < 6; ++i) step(i);
        auto first = calls();
        for (int i = 6; i < 10; ++i) step(i);
        auto last = calls();
        for (auto& [name, count] : last) count -= first[name];
        std::string text;
        for (const auto& [name, count] : last) text += count > 0 ? fmt::format(" {} {}", count, name) : "";
        INFO(text);
        CHECK(last["copies to the host"] == 4);  // of the step before
        CHECK(last["cudaStreamSynchronize"] == 0);
        CHECK(last["cudaGraphLaunch"] == static_cast<uint64_t>(4 * (d_steps + 1)));
        CHECK(last["cudaLaunchKernelExC"] == 0);
        CHECK(last["cudaMallocAsync"] == 0);
    }
}

TEST_CASE("gan: figures that come a step late are those of their step", "[gan][simt]") {
    for (const Device device : {Device::cpu, Device::simt}) {
        if (!is_available(device)) continue;
        GanTrainer at_once(options(0, 0), {.seed = 2}, device), late(options(0, 0), {.seed = 2}, device);
        std::vector<GanStep> want;
        std::vector<LateGanStep> got;
        for (int i = 0; i < 7; ++i) {
            const auto next = [&] { return batch_of(i, 0); };
            want.push_back(at_once.step(next));
            got.push_back(late.begin_step(next));
            CHECK(got.back().is_ready() == (device == Device::cpu));
        }
        for (size_t i = 0; i < want.size(); ++i) {
            CHECK(values(got[i].get()) == values(want[i]));
            CHECK(values(got[i].get()) == values(want[i]));  // again
        }
    }
}

// Noticed a step late, and no file has it.
TEST_CASE("gan: a loss that is not a number stops the training on a GPU", "[gan][simt]") {
    for (const Device device : {Device::cpu, Device::simt}) {
        if (!is_available(device)) continue;
        for (const int64_t bad : {1, 7, 10}) {  // 10: with the checkpoint
            const io::ScratchFolder folder;
            GanTrainer trainer(options(0, 0), {.clip_grad = 5}, device);
            train::Run run({.checkpoint = folder / "run.safetensors",
                            .log = folder / "log.csv",
                            .steps = 20,
                            .checkpoint_every = 5,
                            .quiet = true},
                           {{"D"}});
            trainer.add_to(run);
            int64_t begun = 0;
            const auto step = [&] {
                const LateGanStep now = trainer.begin_step([&] {
                    data::Batch batch = batch_of(static_cast<int>(begun), 0);
                    if (++begun == bad) batch.pixels.fill_(std::numeric_limits<double>::quiet_NaN());
                    return batch;
                });
                run.log_late(now.is_ready(), [now] { return std::vector{now.get().d_loss}; });
            };
            CHECK_THROWS_WITH(run.loop(step), Catch::Matchers::ContainsSubstring(
                                                  fmt::format("became infinite or NaN at step {}: ", bad)));
            const bool is_due = bad % 5 == 0;  // then it is looked at before it is saved
            CHECK(begun == bad + (device == Device::cpu || is_due ? 0 : 1));
            const io::Checkpoint saved = io::load_checkpoint(folder / "run.safetensors");
            CHECK(saved.integer("step") == static_cast<uint64_t>((bad - 1) / 5 * 5));
            for (const auto& [name, tensor] : saved.part("generator"))
                for (const double v : tensor.to_vector<double>()) CHECK(std::isfinite(v));
        }
    }
}

}  // namespace lily::testing
#endif
