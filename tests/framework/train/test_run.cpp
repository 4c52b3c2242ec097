// SPDX-License-Identifier: MIT
#include "framework/train/run.h"

#include <csignal>
#include <filesystem>

#include "framework/autograd.h"
#include "framework/nn/layers.h"
#include "framework/ops.h"
#include "framework/optim/adam.h"
#include "framework/train/interrupt.h"
#include "framework/train/run_folder.h"
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

TEST_CASE("Run: another place for the state, and its history", "[train]") {
    const ScratchFolder dir;
    Training first(options_in(dir, "first", 10));
    first.go();
    RunOptions on = options_in(dir, "second", 20);
    on.resume = dir / "first.safetensors";
    on.resume_log = dir / "first.csv";
    Training second(on);
    second.go();
    Training whole(options_in(dir, "whole", 20));
    whole.go();
    CHECK(text_of(dir / "second.csv") == text_of(dir / "whole.csv"));
    CHECK(second.run.history().series("loss", "x").xs.back() == 20);
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
          file + " has 10 steps done already; pass more --epochs");
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
        CHECK(error == "[run] net became infinite or NaN by step 20; the last good state is in " +
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

TEST_CASE("RunFolder: one process at a time, and no run on top of another", "[train]") {
    const ScratchFolder dir;
    {
        const RunFolder folder(dir / "run", false);
        CHECK(error_of([&] { RunFolder(dir / "run", true); }) ==
              fmt::format("another process is training in {}: wait for it, or name another folder",
                          io::in_quotes(dir / "run")));
        RunOptions options = folder.with_files({.steps = 3, .quiet = true});
        CHECK(options.resume.empty());
        Run run(options, {{"x"}});
        run.loop([&] { run.log({1.0}); });
    }
    CHECK(error_of([&] {
              RunFolder(dir / "run", false);
          }).find("holds a run already: go on with it by --resume") != std::string::npos);
    CHECK(RunFolder(dir / "run", true).with_files({}).resume == dir / "run/checkpoint.safetensors");
    std::filesystem::create_directories(dir / "tried/sheet.png");
    CHECK(error_of([&] {
              RunFolder(dir / "tried", false, {"grids/0.png", "sheet.png"});
          }).find("sheet.png': Is a directory") != std::string::npos);
    CHECK(std::filesystem::is_directory(dir / "tried/grids"));
    io::write_file_atomically(dir / "file", "");
    CHECK(error_of([&] { RunFolder(dir / "file/run", false); }).find("cannot make the folder") == 0);
}

TEST_CASE("RunFolder: a sheet holds the last picture, and others evenly", "[train]") {
    const ScratchFolder dir;
    const RunFolder folder(dir / "run", false);
    folder.save_sheet("grids", 100, folder / "sheet.png");
    CHECK(!std::filesystem::exists(dir / "run/sheet.png"));  // there is no series
    for (int i = 1; i <= 40; ++i)
        folder.save_picture("grids", 10 * i, io::Image(4, 3, 1, static_cast<uint8_t>(i)));
    folder.save_picture("grids", 5, io::Image(9, 9, 1, 200));  // of another size
    folder.save_sheet("grids", 300,
                      folder / "sheet.png");  // the run has gone back: what is later is another's
    const io::Image sheet = io::load_image(dir / "run/sheet.png");
    CHECK(sheet.width == 5 * 8 + 4);
    CHECK(sheet.height == 3 * 7 + 4);
    CHECK(*sheet.at(4 + 2 * 7, 4 + 4 * 8) == 30);
    CHECK(*sheet.at(4, 4) == 1);
}

TEST_CASE("Log: numbers on the way, and curves of as many points as are wanted", "[train]") {
    const ScratchFolder dir;
    Log log("", {{"epoch"}, {"d_loss", "D", "{:.3f}"}, {"g_loss", "G"}});
    CHECK(log.progress_text().empty());
    CHECK(error_of([&] { log.last("epoch"); }) == "[log] there is no row yet");
    log.open();
    for (int i = 1; i <= 10; ++i) log.row(i, std::vector{1.0, 0.5 * i, 1e-7 * i});
    CHECK(log.progress_text() == "D 5.000  G 1e-06");
    const io::PlotSeries curve = log.series("d_loss", "D", 5);
    CHECK(curve.xs == std::vector<double>{2, 4, 6, 8, 10});
    CHECK(curve.ys == std::vector<double>{0.75, 1.75, 2.75, 3.75, 4.75});
    CHECK(error_of([&] { log.row(11, std::vector{1.0}); }) == "[log] expected 3 numbers, got 1");
    CHECK(error_of([&] { log.series("loss", "x"); }) == "[log] there is no column 'loss'");
    log.save_copy(dir / "copy.csv");
    Log copy(dir / "copy.csv", {{"epoch"}, {"d_loss"}, {"g_loss"}});
    copy.open(7);
    CHECK(copy.size() == 7);
    CHECK(copy.last("g_loss") == 1e-7 * 7);
    std::ofstream(dir / "bad.csv") << "iteration,x\n1,2\n2,three\n";
    Log bad(dir / "bad.csv", {{"x"}});
    CHECK(error_of([&] { bad.open(2); }) ==
          fmt::format("cannot continue the log {}: a row does not hold 2 numbers",
                      io::in_quotes(dir / "bad.csv")));
}

}  // namespace
}  // namespace lily::train
