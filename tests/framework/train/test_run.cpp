// SPDX-License-Identifier: MIT
#include "framework/train/run.h"

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "framework/autograd.h"
#include "framework/io/file.h"
#include "framework/nn/layers.h"
#include "framework/ops.h"
#include "framework/optim/adam.h"
#include "framework/train/interrupt.h"
#include "tests/framework/io/io_test.h"

namespace lily::train {
namespace {

using io::error_of;
using io::ScratchFolder;
using io::text_of;

// A line through noise: everything that a training has, in a few numbers.
struct Training {
    Training(const RunOptions& options, const std::string& more = {})
        : net(3, 1, random),
          adam(net.parameters(), {.lr = 0.05}),
          run(options, {{"loss", "loss", "{:.3f}"}}) {
        run.add("net", net);
        run.add("adam", adam);
        run.add("empty", empty);
        run.add("random", random);
        run.add("best", best);
        run.add("count", count);
        if (!more.empty()) extra = &run.add_log(more, {{"best"}});
    }
    void step() {
        const Tensor x = randn({4, 3}, random);
        adam.zero_grad();
        const Tensor loss = mse_loss(net(x), sum(x, {1}, true));
        loss.backward();
        adam.step();
        best = std::min(best, loss.item<double>());
        ++count;
        run.log({loss.item<double>()});
        if (extra != nullptr && run.is_due(5)) extra->row(run.step(), std::vector{best});
    }
    int go() {
        return run.loop([this] { step(); });
    }
    std::vector<double> weights() const { return net.weight.to_vector<double>(); }

    Generator random{7};
    nn::Linear net;
    optim::Adam adam;
    nn::Dropout empty{random};  // a part without state
    double best = 1e9;
    int64_t count = 0;
    Run run;
    Log* extra = nullptr;
};

RunOptions options_in(const ScratchFolder& dir, const std::string& name, int64_t steps) {
    return {.program = "test",
            .settings = {{"--lr", "0.05"}},
            .checkpoint = dir / (name + ".safetensors"),
            .log = dir / (name + ".csv"),
            .steps = steps,
            .checkpoint_every = 10,
            .quiet = true};
}

TEST_CASE("Run: resumed at any step, the same files as uninterrupted", "[train]") {
    const ScratchFolder dir;
    Training whole(options_in(dir, "whole", 40), dir / "whole.best.csv");
    REQUIRE(whole.go() == 0);
    for (const int64_t first : {1, 9, 10, 15, 39, 40}) {
        INFO(first);
        const std::string name = fmt::format("cut{}", first);
        Training begun(options_in(dir, name, first), dir / (name + ".best.csv"));
        REQUIRE(begun.go() == 0);
        RunOptions on = options_in(dir, name, 40);
        on.resume = on.checkpoint;
        Training resumed(on, dir / (name + ".best.csv"));
        REQUIRE(resumed.go() == 0);
        CHECK(resumed.weights() == whole.weights());
        CHECK(resumed.count == 40);
        CHECK(resumed.best == whole.best);
        CHECK(text_of(dir / (name + ".csv")) == text_of(dir / "whole.csv"));
        CHECK(text_of(dir / (name + ".best.csv")) == text_of(dir / "whole.best.csv"));
        CHECK(text_of(dir / (name + ".safetensors")) == text_of(dir / "whole.safetensors"));
        CHECK(resumed.run.history().size() == 40);  // read back: the plot shows the whole run
    }
}

TEST_CASE("Run: a state from before the last rows of the log", "[train]") {  // killed between two checkpoints
    const ScratchFolder dir;
    Training whole(options_in(dir, "whole", 30));
    whole.go();
    RunOptions on = options_in(dir, "cut", 30);
    Training cut(on);
    int steps = 0;
    CHECK_THROWS(cut.run.loop([&] {
        if (++steps == 18) throw std::runtime_error("killed");
        cut.step();
    }));
    std::ofstream(on.log, std::ios::app) << "18,0.2";
    on.resume = on.checkpoint;
    Training resumed(on);
    CHECK(resumed.go() == 0);
    CHECK(text_of(dir / "cut.csv") == text_of(dir / "whole.csv"));
    CHECK(text_of(dir / "cut.safetensors") == text_of(dir / "whole.safetensors"));
}

TEST_CASE("Run: the history is in the log's file, or else in the checkpoint", "[train]") {
    const ScratchFolder dir;
    Training whole(options_in(dir, "whole", 20));
    whole.go();
    const auto is_history = [](const auto& entry) { return entry.first.starts_with("history."); };
    const auto holds_history = [&](const std::string& path) {
        const StateDict tensors = io::load_checkpoint(path).tensors;
        return std::any_of(tensors.begin(), tensors.end(), is_history);
    };
    CHECK_FALSE(holds_history(dir / "whole.safetensors"));
    for (const char* log : {"", "/dev/null"}) {
        RunOptions first = options_in(dir, "first", 10);
        first.log = log;
        Training(first).go();
        CHECK(holds_history(first.checkpoint));
        RunOptions on = options_in(dir, "second", 20);
        on.resume = first.checkpoint;
        {
            Training second(on);
            second.go();
            CHECK(second.run.history().size() == 20);
        }
        CHECK(text_of(dir / "second.csv") == text_of(dir / "whole.csv"));
        CHECK(text_of(dir / "second.safetensors") == text_of(dir / "whole.safetensors"));
    }
    // A log elsewhere begins where the run goes on.
    RunOptions on = options_in(dir, "other", 30);
    on.resume = dir / "second.safetensors";
    Training other(on);
    other.go();
    CHECK(other.run.history().size() == 10);
    io::Checkpoint bad = io::load_checkpoint(dir / "first.safetensors");
    bad.tensors.at("history.values") = zeros({10, 2}, {.dtype = DType::f64});
    io::save_checkpoint(dir / "first.safetensors", bad);
    on.resume = dir / "first.safetensors";
    CHECK(error_of([&] { Training(on).run.begin(); }) ==
          "[log] the checkpoint's history is not one of 1 columns");
}

TEST_CASE("Run: without checkpoints, the state of a run that is cut short", "[train]") {
    const ScratchFolder dir;
    RunOptions options = options_in(dir, "run", 20);
    options.checkpoint.clear();
    options.rescue = dir / "rescue.safetensors";
    options.resume_by_file = true;
    Training(options).go();
    CHECK_FALSE(io::exists(options.rescue));
    options.save_more = [](bool diverged) { return std::string(diverged ? "the last good x" : "x so far"); };
    Training stopped(options);
    CHECK(stopped.run.loop([&] {
        stopped.step();
        if (stopped.run.step() == 7) stopped.run.stop();
    }) == Run::kStopped);
    CHECK(io::load_checkpoint(options.rescue).integer("step") == 7);
    Training failed(options);
    CHECK(error_of([&] {
              failed.run.loop([&] {
                  failed.step();
                  if (failed.run.step() == 9) fail("no disk");
              });
          }) == "no disk; x so far; to go on: --resume " + options.rescue);
    CHECK(io::load_checkpoint(options.rescue).integer("step") == 9);
    Training diverged(options);
    CHECK(error_of([&] {
              diverged.run.loop([&] {
                  diverged.step();
                  if (diverged.run.step() == 3) throw Diverged("too steep");
              });
          }) == "too steep; the last good x");  // which no checkpoint holds
    Training at_once(options);
    CHECK(error_of([&] { at_once.run.loop([] { fail("no memory"); }); }) == "no memory");
}

TEST_CASE("Run: done early, and nothing left to do", "[train]") {
    const ScratchFolder dir;
    RunOptions options = options_in(dir, "run", 20);
    Training training(options);
    CHECK(training.run.loop([&] {
        training.step();
        CHECK_FALSE(training.run.is_over());
        if (training.run.step() == 6) {
            training.run.finish("it no longer changes");
            CHECK(training.run.is_over());
        }
    }) == 0);
    CHECK(training.run.step() == 6);
    CHECK(io::load_checkpoint(options.checkpoint).integer("step") == 6);
    options.resume = options.checkpoint;
    options.steps = 6;
    CHECK(Training(options).go() == 0);
    options.refuse_done = true;
    options.longer = "a larger --steps";
    CHECK(error_of([&] { Training(options).run.begin(); }) ==
          io::in_quotes(options.checkpoint) + " has 6 iterations done already; pass a larger --steps");
}

TEST_CASE("Run: settings that take time are asked for once, if a state is saved or loaded", "[train]") {
    const ScratchFolder dir;
    RunOptions options = options_in(dir, "run", 20);
    int asked = 0;
    std::string print = "one";
    options.more_settings = [&] {
        ++asked;
        return io::Checkpoint::Settings{{"--data", print}};
    };
    options.checkpoint.clear();
    Training(options).go();
    CHECK(asked == 0);
    options.checkpoint = dir / "run.safetensors";
    Training(options).go();
    CHECK(asked == 1);
    options.resume = options.checkpoint;
    print = "another";
    options.difference = [](const std::string& name, const std::string& now, const std::string& then) {
        return now == then ? "" : name + " is not the same";
    };
    CHECK(error_of([&] { Training(options).run.begin(); }) ==
          io::in_quotes(options.checkpoint) + " was made with other settings: --data is not the same");
}

TEST_CASE("Run: what cannot be gone on with is refused in one line", "[train]") {
    const ScratchFolder dir;
    const RunOptions made = options_in(dir, "run", 10);
    Training(made).go();
    const auto error_with = [&](auto change) {
        RunOptions on = made;
        on.resume = made.checkpoint;
        on.steps = 20;
        change(on);
        Training training(on);
        return error_of([&] { training.run.begin(); });
    };
    const std::string file = io::in_quotes(made.checkpoint);
    CHECK(error_with([](RunOptions& o) { o.settings["--lr"] = "0.1"; }) ==
          file + " was made with other settings: --lr 0.1 (was 0.05)");
    // over the options of both sides
    CHECK(error_with([](RunOptions& o) { o.settings["--new"] = "3"; }) ==
          file + " was made with other settings: --new 3 (was not set)");
    CHECK(error_with([](RunOptions& o) { o.settings.clear(); }) ==
          file + " was made with other settings: --lr not set (was 0.05)");
    CHECK(error_with([](RunOptions& o) { o.program = "other"; }) ==
          file + " is a checkpoint of another program");
    CHECK(error_with([](RunOptions& o) { o.steps = 9, o.longer = "more --epochs"; }) ==
          file + " has 10 iterations done already; pass more --epochs");
    io::Checkpoint old;
    old.put("net", Training(options_in(dir, "unused", 1)).net.state_dict());
    old.put_settings("test", made.settings);
    io::save_checkpoint(made.checkpoint, old);
    CHECK(error_with([](RunOptions&) {}) ==
          file + " is a run of format 1, and this lilypad goes on with format 2: begin a new run");
}

TEST_CASE("Run: what diverges keeps the last good state", "[train]") {
    const ScratchFolder dir;
    SECTION("in a loss") {
        RunOptions options = options_in(dir, "run", 30);
        options.calmer = "a lower --lr";
        Training training(options);
        const std::string error = error_of([&] {
            training.run.loop([&] {
                if (training.run.step() == 14) return training.run.log({std::nan("")});
                training.step();
            });
        });
        CHECK(error ==
              "[run] the losses became infinite or NaN at step 15: loss nan; try a lower --lr; the last "
              "good state is in " +
                  (dir / "run.safetensors"));
    }
    SECTION("in a weight") {
        Training training(options_in(dir, "run", 30));
        const std::string error = error_of([&] {
            training.run.loop([&] {
                training.step();
                const NoGrad no_grad;
                if (training.run.step() == 20) training.net.weight.mutable_data<float>()[1] = INFINITY;
            });
        });
        CHECK(error == "[run] net.weight became infinite or NaN by step 20; the last good state is in " +
                           (dir / "run.safetensors"));
    }
    CHECK(io::load_checkpoint(dir / "run.safetensors").integer("step") == 10);
}

TEST_CASE("Run: back to the last good state", "[train]") {
    const ScratchFolder dir;
    RunOptions options = options_in(dir, "run", 40);
    options.good = dir / "good.safetensors";
    bool good = true;
    options.is_good = [&] { return good; };
    Training training(options, dir / "best.csv");
    std::vector<double> at_20;
    int64_t rollbacks = 0;
    CHECK(training.run.loop([&] {
        training.step();
        const int64_t step = training.run.step();
        if (step == 20) at_20 = training.weights();
        if (step > 20 && rollbacks == 0) good = false;
        if (step != 35 || rollbacks > 0) return;
        training.run.roll_back();
        ++rollbacks;
        good = true;
        CHECK(training.run.step() == 20);
        CHECK(training.weights() == at_20);
        CHECK(training.count == 20);
        CHECK(training.run.history().size() == 20);
    }) == 0);
    CHECK(rollbacks == 1);
    CHECK(training.count == 40);
    Training whole(options_in(dir, "whole", 40), dir / "whole.best.csv");
    whole.go();  // the way back was no other way: the same noise again
    CHECK(text_of(dir / "run.csv") == text_of(dir / "whole.csv"));
    CHECK(text_of(dir / "best.csv") == text_of(dir / "whole.best.csv"));
    CHECK(error_of([&] { whole.run.roll_back(); }) == "[run] no good state is kept");
}

TEST_CASE("Run: back, and another way from there", "[train]") {
    const ScratchFolder dir;
    RunOptions options = options_in(dir, "run", 40);
    options.good = dir / "good.safetensors";
    options.is_good = [] { return false; };  // so the first state stays
    {
        Training training(options);
        bool back = false;
        CHECK_THROWS(training.run.loop([&] {
            if (back) throw std::runtime_error("killed");
            training.step();
            if (training.run.step() != 25) return;
            training.run.roll_back([&] { training.random = Generator(8); });
            back = true;
        }));
    }
    CHECK(io::load_checkpoint(options.checkpoint).integer("step") == 0);  // it is no newer than its log
    options.resume = options.checkpoint;
    Training resumed(options);
    CHECK(resumed.go() == 0);
    Training other(options_in(dir, "other", 40));
    other.random = Generator(8);
    other.go();
    CHECK(text_of(dir / "run.csv") == text_of(dir / "other.csv"));
    CHECK(resumed.weights() == other.weights());
}

TEST_CASE("Run: what fails after a step leaves its state, elsewhere if need be", "[train]") {
    const ScratchFolder dir;
    RunOptions options = options_in(dir, "run", 40);
    const auto fails_at = [&](Training& training, int64_t step) {
        return error_of([&] {
            training.run.loop([&] {
                training.step();
                if (training.run.step() == step) fail("cannot write the picture");
            });
        });
    };
    Training first(options);
    CHECK(fails_at(first, 13) == "cannot write the picture; the checkpoint is " + options.checkpoint);
    CHECK(io::load_checkpoint(options.checkpoint).integer("step") == 13);
    options.resume = options.checkpoint;
    {
        Training second(options);
        second.run.begin();
        std::filesystem::remove(options.checkpoint);
        std::filesystem::create_directory(options.checkpoint);  // nothing can be written there any longer
        options.resume = fails_at(second, 17);
    }
    const std::string said = "cannot write the picture; the checkpoint is ";
    REQUIRE(options.resume.starts_with(said));
    options.resume = options.resume.substr(said.size());
    CHECK(options.resume != options.checkpoint);
    std::filesystem::remove(options.checkpoint);
    Training third(options), whole(options_in(dir, "whole", 40));
    CHECK(third.go() == 0);
    std::filesystem::remove(options.resume);
    whole.go();
    CHECK(text_of(dir / "run.csv") == text_of(dir / "whole.csv"));
    CHECK(text_of(options.checkpoint) == text_of(dir / "whole.safetensors"));
}

TEST_CASE("Run: a last state that does not go where it was to go", "[train]") {
    const ScratchFolder dir;
    RunOptions options = options_in(dir, "run", 3);
    const auto last_step = [&](Training& training) {
        training.step();
        if (training.run.step() != 3) return;
        std::filesystem::remove(options.checkpoint);
        std::filesystem::create_directory(options.checkpoint);
    };
    Training first(options);
    const std::string error = error_of([&] { first.run.loop([&] { last_step(first); }); });
    const size_t at = error.find("; it is in '");
    REQUIRE(at != std::string::npos);
    const std::string elsewhere = error.substr(at + 12, error.size() - at - 13);
    CHECK(io::load_checkpoint(elsewhere).integer("step") == 3);
    std::filesystem::remove(elsewhere);
    std::filesystem::remove(options.checkpoint);
    options.save_last = [&](const std::string& path, const RunOptions::Write& write) {
        CHECK(path == options.checkpoint);
        write(dir / "last.safetensors");
        return dir / "last.safetensors";
    };
    Training second(options);
    CHECK(second.run.loop([&] { last_step(second); }) == 0);
    CHECK(io::load_checkpoint(dir / "last.safetensors").integer("step") == 3);
}

TEST_CASE("Run: a signal ends it after the step, with its state", "[train]") {
    const ScratchFolder dir;
    Training training(options_in(dir, "run", 40));
    CHECK(training.run.loop([&] {
        training.step();
        if (training.run.step() == 13) std::raise(SIGTERM);
    }) == 128 + SIGTERM);
    interrupted = 0;
    CHECK(io::load_checkpoint(dir / "run.safetensors").integer("step") == 13);
    Training stopped(options_in(dir, "stopped", 40));
    CHECK(stopped.run.loop([&] {
        stopped.step();
        if (stopped.run.step() == 5) stopped.run.stop("stopped by the test");
    }) == Run::kStopped);
    CHECK(io::load_checkpoint(dir / "stopped.safetensors").integer("step") == 5);
}

TEST_CASE("Run: misuse is named", "[train]") {
    const ScratchFolder dir;
    Training training(options_in(dir, "run", 10));
    CHECK(error_of([&] { training.run.add("net", training.net); }) == "[run] there are two parts 'net'");
    CHECK(error_of([&] { training.run.loop([] {}); }) == "[run] expected one log() in a step, got 0");
    CHECK(error_of([&] { training.run.add("late", training.net); }) ==
          "[run] 'late' must be added before begin()");
    CHECK(error_of([&] { Run({.steps = 0}, {}); }) == "[run] expected at least 1 step, got 0");
}

}  // namespace
}  // namespace lily::train
