// SPDX-License-Identifier: MIT
// A captured step that is a whole training step: N replays are N plain steps, bit for bit, and what a replay
// could not repeat is refused.
#include <thread>

#include "framework/autograd.h"
#include "framework/capture.h"
#include "framework/data/loader.h"
#include "framework/nn/batch_norm.h"
#include "framework/nn/layers.h"
#include "framework/ops.h"
#include "framework/optim/adam.h"
#include "framework/optim/clip_grad.h"
#include "framework/optim/ema.h"
#include "framework/optim/lr_scheduler.h"
#include "framework/optim/sgd.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

constexpr int kSteps = 12;

using Values = std::map<std::string, std::vector<double>>;

class Net final : public nn::Module {
  public:
    explicit Net(Generator& random)
        : first(register_module("first", std::make_unique<nn::Linear>(6, 8, random))),
          norm(register_module("norm", std::make_unique<nn::BatchNorm1d>(8))),
          last(register_module("last", std::make_unique<nn::Linear>(8, 3, random))) {}
    Tensor run(const Tensor& x, Generator& random) {
        return last(dropout(relu(norm(first(x))), random, 0.3, is_training()));
    }
    nn::Linear& first;
    nn::BatchNorm1d& norm;
    nn::Linear& last;
};

// A network with noise, dropout, batch norm, clipping and an average of its weights.
template <class Optimizer>
struct Training {
    template <class Options>
    Training(Device d, const Options& options) : device(d), net(random), average(random) {
        net.to(device);
        average.to(device);
        optimizer.emplace(net.parameters(), options);
        ema.emplace(average, net, optim::warm_up_decay(0.9));
        x = zeros({5, 6}, {.device = device});
        y = zeros({5, 3}, {.device = device});
    }
    void step() {
        optimizer->zero_grad();
        const Tensor noisy = x + 0.1 * randn({5, 6}, random, {.device = device}) +
                             randint(0, 3, {5, 6}, random, {.dtype = DType::f32, .device = device});
        loss = mse_loss(net.run(noisy, random), y);
        loss.backward();
        norm = optim::clip_grad_norm_(net.parameters(), 0.5);
        optimizer->step();
        ema->update();
    }
    void feed(int i) {
        x.copy_(reshape(arange(30) * 0.05 - i * 0.1, {5, 6}));
        y.copy_(reshape(arange(15) * 0.1 + i * 0.02, {5, 3}));
    }
    Values values() {
        Values all;
        const auto add = [&all](const std::string& prefix, const StateDict& state) {
            for (const auto& [name, tensor] : state) all[prefix + name] = tensor.template to_vector<double>();
        };
        add("net.", net.state_dict());
        add("optimizer.", optimizer->state_dict());
        add("ema.", ema->state_dict());
        for (const auto& [name, parameter] : net.named_parameters())
            all["gradient." + name] = parameter.grad().template to_vector<double>();
        all["loss"] = {loss.item<double>(), norm.item<double>()};
        all["random"] = {static_cast<double>(random.state().counter)};
        return all;
    }

    Device device;
    Generator random{3};
    Net net, average;
    std::optional<Optimizer> optimizer;
    std::optional<optim::Ema> ema;
    Tensor x, y, loss, norm;
};

void check_same(const Values& got, const Values& want) {
    REQUIRE(got.size() == want.size());
    for (const auto& [name, values] : want) {
        INFO(name);
        CHECK(got.at(name) == values);
    }
}

template <class Optimizer, class Options>
void replays_are_steps(const Options& options) {
    for (const Device device : devices()) {
        Training<Optimizer> plain(device, options), replayed(device, options);
        optim::ExponentialLR plain_rate(*plain.optimizer, 0.9), rate(*replayed.optimizer, 0.9);
        CapturedStep step = capture(device, [&] { replayed.step(); });
        StateDict saved;
        for (int i = 0; i < kSteps; ++i) {
            INFO(name(device) << ", step " << i);
            for (auto* training : {&plain, &replayed}) training->feed(i);
            plain.step();
            step.replay();
            check_same(replayed.values(), plain.values());
            plain_rate.step();  // heard by the next replay
            rate.step();
            if (i == 2)
                for (const auto& [name, tensor] : plain.optimizer->state_dict()) saved[name] = tensor.clone();
            if (i == 8)  // what was loaded too, and numbers drawn outside
                for (auto* training : {&plain, &replayed}) {
                    training->optimizer->load_state_dict(saved);
                    training->net.norm.reset_running_stats();
                    training->random.next();
                }
        }
        CHECK(step.recorded() == (device != Device::cpu));
    }
}

}  // namespace

TEST_CASE("capture: a training step with Adam, dropout, noise, batch norm, clipping and an average",
          "[capture][simt]") {
    replays_are_steps<optim::Adam>(optim::AdamOptions{.lr = 0.01});
    replays_are_steps<optim::AdamW>(optim::AdamWOptions{.lr = 0.01, .weight_decay = 0.1});
}

TEST_CASE("capture: a training step with SGD and momentum", "[capture][simt]") {
    replays_are_steps<optim::SGD>(optim::SGDOptions{.lr = 0.05, .momentum = 0.9, .dampening = 0.1});
    replays_are_steps<optim::SGD>(
        optim::SGDOptions{.lr = 0.05, .momentum = 0.9, .weight_decay = 0.01, .nesterov = true});
    replays_are_steps<optim::SGD>(optim::SGDOptions{.lr = 0.05});
}

TEST_CASE("capture: a recorded training step is one launch and one copy", "[capture][simt]") {
    for (const Device device : devices()) {
        if (device == Device::cpu) continue;
        Training<optim::Adam> training(device, optim::AdamOptions{});
        CapturedStep step = capture(device, [&] { training.step(); });
        for (int i = 0; i < 8; ++i) {
            training.feed(i);
            step.replay();
        }
        CHECK(step.recorded());
        CHECK(step.launches() > 20);
        const int64_t before = allocator(device).stats().current_bytes;
        for (int i = 0; i < 5; ++i) step.replay();
        CHECK(allocator(device).stats().current_bytes == before);
    }
}

// A parameter's first gradient comes when the memory has settled: what it needs is made outside of the pool.
TEST_CASE("capture: a state that is made late", "[capture][simt]") {
    for (const Device device : devices()) {
        Tensor a = ones({4}, {.device = device}).set_requires_grad(), b = a.clone().detach();
        b.set_requires_grad();
        optim::SGD sgd({a, b}, {.lr = 0.5, .momentum = 0.5});
        int runs = 0;
        CapturedStep step = capture(device, [&] {
            sgd.zero_grad();
            (++runs < 4 ? sum(a) + sum(a) : sum(a) + sum(b)).backward();
            sgd.step();
        });
        for (int i = 0; i < 10; ++i) step.replay();
        // On a GPU the fourth run was to be recorded, and was run once more.
        const int with_b = 7;
        double m = 0, want = 1;
        for (int i = 0; i < with_b; ++i) {
            m = i == 0 ? 1 : 0.5 * m + 1;
            want -= 0.5 * m;
        }
        CHECK(b.to_vector() == std::vector<float>(4, static_cast<float>(want)));
        CHECK(step.recorded() == (device != Device::cpu));
    }
}

TEST_CASE("capture: a replay changes the versions of what it writes", "[capture][simt]") {
    for (const Device device : devices()) {
        Tensor w = ones({4}, {.device = device}).set_requires_grad(), untouched = w.clone().detach();
        optim::SGD sgd({w}, {.lr = 0.1});
        CapturedStep step = capture(device, [&] {
            sgd.zero_grad();
            sum(square(w) * untouched).backward();
            sgd.step();
        });
        for (int i = 0; i < 8; ++i) {
            const Tensor of_w = sum(square(w)), of_other = sum(square(untouched) * w.detach());
            const uint64_t version = untouched.storage()->version();
            step.replay();
            CHECK_THROWS_WITH(of_w.backward(), Catch::Matchers::ContainsSubstring("was changed in place"));
            CHECK(untouched.storage()->version() == version);
        }
        CHECK(step.recorded() == (device != Device::cpu));
    }
}

TEST_CASE("capture: other threads use the device meanwhile", "[capture][simt]") {
    for (const Device device : devices()) {
        if (device == Device::cpu) continue;
        const Tensor x = full({1000}, 2, {.device = device});
        Tensor y;
        int runs = 0;
        std::vector<float> other;
        const auto in_between = [&] {  // allocates, launches, uploads and reads back
            const Tensor a = (arange(1000) * 0.5).to(device), b = square(a) + 1;
            other = b.to_vector();
            synchronize(device);
        };
        CapturedStep step = capture(device, [&] {
            y = square(x);
            if (++runs == 4) std::thread(in_between).join();  // it is being recorded
            y = y + 1;
        });
        for (int i = 0; i < 3; ++i) step.replay();
        CHECK(!step.recorded());
        step.replay();
        REQUIRE(step.recorded());
        CHECK(step.launches() == 2);
        CHECK(other[999] == 499.5f * 499.5f + 1);
        CHECK(y.to_vector() == std::vector<float>(1000, 5));

        // Two record at once, while a third computes.
        std::vector<std::thread> threads;
        std::vector<float> results(3);
        for (size_t t = 0; t < results.size(); ++t)
            threads.emplace_back([&, t] {
                const Tensor mine =
                    full({100 + static_cast<int64_t>(t)}, static_cast<double>(t), {.device = device});
                Tensor sum_of;
                const auto work = [&] { sum_of = sum(square(mine) + mine); };
                CapturedStep captured = capture(device, work);
                for (int i = 0; i < 8; ++i) t == 2 ? work() : captured.replay();
                results[t] = sum_of.item();
            });
        for (std::thread& thread : threads) thread.join();
        CHECK(results == std::vector<float>{0, 202, 102 * 6});
    }
}

// A program that was written on the CPU is to run on a GPU: the same errors, in the same words.
TEST_CASE("capture: what a GPU refuses, the CPU refuses", "[capture][simt]") {
    data::Dataset set{.count = 4, .channels = 1, .height = 1, .width = 2};
    set.pixels.assign(8, 1);
    for (const Device device : devices()) {
        INFO(name(device));
        Generator random(1);
        const Tensor x = ones({4}, {.device = device});
        Tensor w = ones({4}, {.device = device}).set_requires_grad();
        sum(w).backward();
        optim::Adam adam({w}, {});
        data::Loader loader(set, 2, 0);
        nn::BatchNorm1d mean_of_all(4, {.momentum = std::nullopt});
        mean_of_all.to(device);
        CapturedStep inner = capture(device, [] {});
        const std::pair<std::function<void()>, const char*> cases[] = {
            {[&] { sum(x).item(); }, "[copy] a captured step cannot read results back; do it after replay()"},
            {[&] { x.to_vector(); }, "[copy] a captured step cannot read results back; do it after replay()"},
            {[&] {
                 from_vector<float>({1, 2}, {2}).to(device);
             },
             "[copy] a captured step cannot copy from the host; do it before replay()"},
            {[&] { arange(3, {.device = device}); },
             "[copy] a captured step cannot copy from the host; do it before replay()"},
            {[&] { loader.next(device); },
             "[copy] a captured step cannot copy from the host; do it before replay()"},
            {[&] { synchronize(device); }, "[synchronize] a captured step cannot wait"},
            {[&] { random.next(); },
             "[random] a captured step cannot draw random numbers for the host; a replay would repeat them"},
            {[&] { adam.set_lr(0.1); },
             "[Adam] a captured step cannot change a learning rate; do it before replay()"},
            {[&] { sum(square(w)).backward(); },
             "[backward] a captured step cannot add to a gradient from before it; clear it first"},
            {[&] {
                 mean_of_all(ones({2, 4}, {.device = device}));
             },
             "[BatchNorm] a captured step cannot average over all batches (momentum none): their number "
             "changes"},
            {[&] { inner.replay(); }, "[capture] a captured step cannot contain another"},
        };
        for (const auto& [what, text] : cases) {
            CapturedStep step = capture(device, what);
            for (int i = 0; i < 2; ++i) CHECK_THROWS_WITH(step.replay(), text);
        }
        if (device != Device::cpu) {
            CapturedStep elsewhere = capture(device, [&] { rand({4}, random); });
            CHECK_THROWS_WITH(
                elsewhere.replay(),
                fmt::format("[random] a captured step on {0} cannot draw random numbers on CPU: a "
                            "replay would repeat them; draw them on {0}",
                            name(device)));
        }
        CHECK(sum(x).item() == 4);  // nothing is broken by it
    }
}

}  // namespace lily::testing
